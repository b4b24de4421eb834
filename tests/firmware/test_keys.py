"""HMAC-SHA256 against the vectors of RFC 4231."""

from phantom.keys import MAC_BYTES, hmac_sha256, mac, same

PORTABLE = True


def _hex(text):
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))


def test_hmac_gives_the_vectors_of_rfc_4231():
    vectors = (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    )
    for key, data, digest in vectors:
        assert hmac_sha256(key, data) == _hex(digest)


def test_parts_are_as_good_as_the_whole():
    assert hmac_sha256(b"k", b"one", b"", b"two") == hmac_sha256(b"k", b"onetwo")
    assert mac(b"k", b"one") == hmac_sha256(b"k", b"one")[:MAC_BYTES]


def test_macs_compare_by_value_and_length():
    assert same(b"abc", bytearray(b"abc"))
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"ab")
