"""Codes of the ten digits for RBF outputs: drawings of 7x12 pixels, 84 values of +1 and -1 each.

LeCun, Bottou, Bengio and Haffner 1998 show theirs in figure 3. These are our own drawings, in the same size and in
the same manner (digits that look alike have codes that are alike), because no two independent transcriptions of that
figure were found that agree. The nearest two, `3` and `8`, differ in 11 of the 84 places, so their squared distance
is 44.
"""

_DRAWINGS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...#...  .#####.  .#####.  ....##.  #######  ..####.  #######  .#####.  .#####.
.##.##.  ..##...  ##...##  ##...##  ...###.  ##.....  .##....  .....##  ##...##  ##...##
##...##  .###...  .....##  .....##  ..####.  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...#...  .....##  .....##  .##.##.  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...#...  ....##.  ..####.  ##..##.  ######.  ##.###.  ...##..  .#####.  ##..###
##...##  ...#...  ...##..  .....##  ##..##.  .....##  ###..##  ...##..  ##...##  .###.##
##...##  ...#...  ..##...  .....##  #######  .....##  ##...##  ..##...  ##...##  .....##
##...##  ...#...  .##....  .....##  ....##.  .....##  ##...##  ..##...  ##...##  .....##
.##.##.  ...#...  ##.....  ##...##  ....##.  ##...##  ##...##  .##....  ##...##  ....##.
..###..  .#####.  #######  .#####.  ....##.  .#####.  .#####.  .##....  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""
CODES = tuple("".join(rows) for rows in zip(*(line.split() for line in _DRAWINGS.split("\n") if line), strict=True))
