"""A process of its own that decodes JPEG frames with GDCM, because damaged ones make GDCM end its process.

Run by path and with nothing but GDCM, so that it starts at once. It reads frames from
standard input and writes what they decode to, each after its length; an empty answer is a frame that GDCM refused.
"""

import struct
import sys

__all__ = ["ANSWER", "FRAME"]

FRAME = struct.Struct("<64s5HI")
"""Transfer syntax, columns, rows, bits allocated, bits of the stream, sign, bytes that follow."""
ANSWER = struct.Struct("<I")


def _decoded(data: bytes, syntax: str, shape: tuple[int, int], pixel: tuple[int, int, int]) -> bytes:
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((*shape, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    allocated, bits, signed = pixel
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, bits, bits - 1, signed))
    decoded: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM gives its bytes as text
    return decoded


def _serve() -> None:
    while head := sys.stdin.buffer.read(FRAME.size):
        syntax, columns, rows, allocated, bits, signed, size = FRAME.unpack(head)
        data = sys.stdin.buffer.read(size)
        try:
            answer = _decoded(data, syntax.rstrip(b"\0").decode(), (columns, rows), (allocated, bits, signed))
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ):
            answer = b""
        sys.stdout.buffer.write(ANSWER.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()  # the next frame may end this process


if __name__ == "__main__":
    _serve()
