"""The golden vectors' oracle: every model once more, in scalars, in 80-digit arithmetic, differentiated by a tape.

Nothing here is shared with the models it judges: no matrix, no hand-written derivative, no NumPy.
"""
