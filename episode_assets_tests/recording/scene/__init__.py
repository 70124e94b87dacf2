"""One scene as plain numbers, and writers that put it into files of different message encodings.

`scene` is what is true, `ros` and `foxglove` name its values in the words of the two families of message types, and
each of the other modules serialises them with a library of its own. The writers import no reader of ours.
"""
