"""Draw claimed_measured.png of each table in experiments/ from table.yaml and results.csv; nothing is trained."""

from pathlib import Path

from fitbench.charts import paper
from fitbench.tables import measured
from fitbench.tables.chart import chart
from fitbench.tables.outcome import outcomes
from fitbench.tables.reading import read
from fitbench.tables.record import PLOT

if __name__ == "__main__":
    for results in sorted((Path(__file__).parents[2] / "experiments").glob(f"*/{measured.FILE}")):
        table = read(results.parent)
        paper.write(chart(table, outcomes(table, measured.read_csv(results))), results.with_name(PLOT))
