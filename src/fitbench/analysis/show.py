def write_plots(folder):
    pass


def print_summary(folder, result, reused):
    print(folder, result["metrics"], result["timing"], "reused" if reused else "")
