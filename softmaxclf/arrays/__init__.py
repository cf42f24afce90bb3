"""The one reader of `.npz` and `.npy` files, for feature data and for model files, that no file can hurt.

What is accepted. A `.npy` file: the magic 93 "NUMPY", version 1.0 to 3.0, a header of at most 4,096 bytes
that holds exactly the keys `descr`, `fortran_order` and `shape`, then exactly the array's bytes. The header
is matched with a regular expression, never evaluated. `descr` is a boolean, an integer, a float of 2, 4 or 8
bytes, or text of a fixed width; objects, structures, byte strings, complex numbers and dates are refused. A
`.npz` file: a zip archive (zip64 too) of at most 1,000 members, each a `.npy` file, stored or deflated.

Why nothing else can happen. The end record, the directory and the local headers are read at places that are
compared with the file's size first. Members are refused when they are encrypted, overlap, have the same name
or a name with a path, or when the sizes in the directory, in the array's header and in the file differ. All
this comes before an array is made. Memory is bounded: 64 MiB, or 100 times the file where that is more, or
`limit_bytes`, so a zip bomb ends with a message. Every member's CRC-32 is checked. Nothing is run or written.

Arrays are native in byte order. In memory they are C-contiguous; a mapped array in Fortran order stays so.
"""

from softmaxclf.arrays.header import NPY_MAGIC
from softmaxclf.arrays.reader import ArrayFile, map_arrays, open_arrays, read_arrays
from softmaxclf.arrays.zipped import ZIP_MAGICS

__all__ = ["NPY_MAGIC", "ZIP_MAGICS", "ArrayFile", "map_arrays", "open_arrays", "read_arrays"]
