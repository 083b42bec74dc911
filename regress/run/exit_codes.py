"""What a rank says by its exit code, to who reads the run record."""

# Everything else that went wrong, as Python itself has it.
FAILURE = 1
# There is no usable checkpoint where the tracker says there is one.
DAMAGED_CHECKPOINT = 3
# The device is not there, or is not the declared hardware.
WRONG_ENVIRONMENT = 4
