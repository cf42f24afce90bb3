"""Bytes that mean something to a reader."""

OPCODES = [bytes([each]) for each in b"().0125789BCGIJKLMNPQRSTUVX]abcdeghijlmopqrstu}\x80\x81\x82\x83\x84\x85\x86"
           b"\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"]  # fmt: skip
OPCODES += [b"cos\nsystem\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"h\x00", b"q\x00", b"\x8c\x04data"]
NPY_WORDS = (
    b"\x93NUMPY",
    b"|O",
    b"<f8",
    b">f4",
    b"<U9",
    b"|b1",
    b"True",
    b"(3,)",
    b"()",
    b"(",
    b"nan",
    b"'descr': ",
)
ZIP_WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08",
             b"\x01\x00\x10\x00", *NPY_WORDS)  # fmt: skip
TAR_WORDS = (b"ustar", b"../", b"/", b"0", b"1", b"2", b"5", b"x", b"g", b"L", b"S", b"777777777777", b"\x80\0\0\0",
             b"-1", b"8 path=a\n", b"12 size=1\n", b"test_batch.bin\0")  # fmt: skip
YAML_WORDS = (b"!!python/object/apply:os.system ", b"&a ", b"*a", b"<<: ", b"---\n", b"...\n", b"%YAML 1.1\n", b"{",
              b"[", b"}", b"]", b", ", b": ", b"- ", b"? ", b"\t", b"\n", b"  ", b"|\n", b">\n", b"'", b'"', b"#",
              b"\\UFFFFFFFF", b"null", b"true", b".nan", b".inf", b"1e-7", b"0x10", b"1:30", b"log", b"\xef\xbb\xbf",
              b"\xe2\x80\xa8", b"training:\n", b"tuning:\n", b"  folds: 3\n", b"  memory: 1 GB\n")  # fmt: skip
IMAGE_WORDS = (b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"zTXt", b"iTXt", b"\xff\xd8",
               b"\xff\xc2", b"\xff\xda", b"\xff\xc4", b"\xff\xe1", b"Exif\0\0", b"MPF\0", b"II*\0", b"MM\0*", b"GIF89a",
               b"VP8X", b"ANIM", b"RIFF", b"BM", b"\x01\x01\x03\0")  # fmt: skip
