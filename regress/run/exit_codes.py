"""Exit codes of ranks, as recorded in the run record."""

# Any other failure. Python itself exits with this code, too.
FAILURE = 1
# The checkpoint that the tracker file names is missing or unusable.
DAMAGED_CHECKPOINT = 3
# There is no device, or it is not the declared hardware.
WRONG_ENVIRONMENT = 4
