"""What the host learns of maps that are evaluated on the device."""

from enrnn_ref.backends.cuda.leader import HEAD, SQUARINGS
from enrnn_ref.backends.cuda.sums import BLOCKS


def told_of_a_map(recurrence):
    """How many numbers the host has to learn of a map, to know whether it can be trusted.

    Of (I + A)⁻¹ how far it is from one, in as many parts as blocks add up; of a leader with its vectors what proves it.
    """
    blocks = getattr(recurrence, "blocks", {})
    told = []
    if "skew" in recurrence.shapes:
        told.append(BLOCKS)
    if "short" in blocks:
        size = blocks["short"].stop - blocks["short"].start
        told.append(HEAD + 4 * size + (SQUARINGS + 1) * BLOCKS)
    return told
