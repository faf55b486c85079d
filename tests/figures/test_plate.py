"""The plate: three mechanisms, each with what sets it apart."""

from attn_nlp.figures import plate
from attn_nlp.parts import registry

from .measuring import faults


def columns():
    """Boxes by column, from the left, and from the top within one."""
    drawn = plate()
    third = drawn.width / 3
    by_column = [[box for box in drawn.boxes if box.middle // third == n] for n in range(3)]
    return [sorted(boxes, key=lambda box: box.y) for boxes in by_column]


def words(boxes):
    return [" ".join(line.content for line in box.lines) for box in boxes]


def test_nothing_is_in_the_way_of_anything():
    assert faults(plate()) == []


def test_the_columns_are_told_apart_by_their_headings():
    assert [words(boxes)[0].split("  ")[0] for boxes in columns()] == ["1", "2", "3"]


def test_only_the_first_weighs_positions_and_only_the_others_pairs():
    weights = [[box for box in boxes if box.grid] for boxes in columns()]
    assert [len(found) for found in weights] == [1, 1, 1]
    assert [len(found[0].grid) for found in weights] == [1, 6, 6]


def test_what_sets_each_apart_is_highlighted():
    own = [words(box for box in boxes if box.look == "own") for boxes in columns()]
    assert next(text.split(" w ")[0] for text in own[0]).startswith("linear + activation")
    assert own[0][1].startswith("weighted sum of the features")
    assert own[1] == ["weighted sum with the query lambda attention + (1 - lambda) q"]
    assert own[2][0].startswith("similarity dot product q . k, or bilinear")
    assert own[2][1].startswith("scale times 1/sqrt(D)")


def test_the_formulas_are_those_of_the_registry():
    texts = ["".join(" ".join(words(boxes)).split()) for boxes in columns()]
    for column, places in (
        (0, [("pooling", "se_token")]),
        (1, [("mixer", "query_mix")]),
        (2, [("score", "dot"), ("score", "bilinear"), ("kind", "pairwise")]),
    ):
        for place in places:
            assert "".join(registry.find(*place).formula.split()) in texts[column]


def test_the_weights_of_the_first_act_on_the_features_and_the_query_joins_the_second():
    """The two arrows beside the lanes: features to their sum, query to the mix."""
    drawn = plate()
    beside = [arrow for arrow in drawn.arrows if len(arrow.points) == 4]
    ends = []
    for arrow in sorted(beside, key=lambda each: each.points[0]):
        touched = [
            words([box])[0].split("(")[0].strip()
            for point in (arrow.points[0], arrow.points[-1])
            for box in drawn.boxes
            if box.x <= point[0] <= box.right and box.y <= point[1] <= box.bottom
        ]
        ends.append(touched)
    assert ends[0][0] == "features f"
    assert ends[0][1].startswith("weighted sum of the features")
    assert ends[1][0] == "q"
    assert ends[1][1].startswith("weighted sum with the query")
