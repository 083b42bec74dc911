"""The largest sizes that a case, or a file about a run of it, may claim.

Whoever reads such a file allocates memory, starts processes or loops by what it
claims. The limits lie far above what anybody trains with this project, and low
enough that a file which claims them is judged in seconds.
"""

# A rank is a process of one machine.
RANKS = 256

# A trajectory takes 16 bytes an iteration, for each metric and rank.
ITERATIONS = 1_000_000

# Layers, sizes and samples. Their products fit into 64 bits.
SIZE = 1 << 24
