"""What `train.qat` and the converters agree on."""

EPOCHS = 6  # by default, where images are many
FEW_BITS = 4  # of weights, instead of 8
FEW_STEPS = 7  # they hold -7 to 7, the narrow range: 0 in the middle
