"""Names of picture files."""

from brainjax.pictures import names


def test_names_of_the_pictures_files():
    assert names.file_stems(['a.png', 'b/c.jpg', 'n01_2.JPEG']) == [
        'a',
        'c',
        'n01_2',
    ]
    # Where they would be the same, the whole names.
    assert names.file_stems(['a/x.png', 'b/x.png', 'img.1']) == [
        'a_x',
        'b_x',
        'img.1',
    ]
    # And where these would be too, or nearly, numbers.
    assert names.file_stems(['a/x.png', 'A_x.png', 'b/x.png']) == [
        'a_x-00000',
        'A_x-00001',
        'b_x-00002',
    ]
    # What a file cannot be called is replaced, what is long is cut.
    assert names.file_stems(['a\0b.png', 'c\ud800', 'e:f']) == [
        'a_b',
        'c_',
        'e_f',
    ]
    long = names.file_stems(['x' * 300, 'x' * 301, 'é' * 300])
    assert len(set(long)) == 3
    assert all(len(each.encode()) < 220 for each in long)


def test_names_without_their_suffix():
    assert names.stem('a/n01443537_22563.5.JPEG') == 'a/n01443537_22563.5'
    assert names.stem('n01443537_22563.5') == 'n01443537_22563.5'
    assert names.is_picture('a/b.webp')
    assert not names.is_picture('a/._b.webp')
