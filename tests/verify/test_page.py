"""Pages are well-formed, complete, self-contained and readable without seeing the pictures."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from enrnn_ref.verify import Report, Row, Verdict, check_gradient, page
from enrnn_ref.verify.page import pictures
from enrnn_ref.verify.page.style import STYLE
from enrnn_ref.verify.page.text import number, small
from enrnn_ref.verify.report import Entry

XHTML, SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
NASTY = "<script>alert('1') & \"2\"</script>\x00\x1b"

ENTRIES = (
    Entry((4, 1), 1.23456789012345, 1.2345698, 1e-11, 3e-12, 4),
    Entry((0, 0), -1e-300, 2.0 / 3.0, 1e-11, math.nan),
)
RATIOS = np.array([[0.0, 1e-3, 0.5], [2.0, np.inf, np.nan]])
WRONG = Row(
    "W", "gradient", Verdict.WRONG, 0.5, 1e-9, False, "1 of 6 entries differ", (1, 1), 1.0, 2.0, ENTRIES, RATIOS, 0,
    ((1e-2, 1e-4), (1e-4, 1e-8), (1e-6, 0.0)),
)  # fmt: skip
KINK = Row("b", "gradient", Verdict.KINK, 0.0, 1e-12, True, "between", (0,), 0.0, 0.0, ENTRIES, np.zeros(3))
LAW = Row("causality", "law", Verdict.PASSED, 0.0, 0.0, True)
CONTRACT = Row("contract", "contract", Verdict.PASSED, math.nan, math.nan, True, "repeatable")
REPORT = Report("model", (CONTRACT, LAW, WRONG, KINK), {"seed": 7}, ("your W equals the reference with R transposed.",))
GOOD = Report("good", (CONTRACT, LAW))


class Balanced(HTMLParser):
    """Every tag is closed in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack = []

    def handle_starttag(self, tag, attrs):
        self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def parsed(html):
    """The page as XML, which is stricter than HTML, once a parser of HTML has read it too."""
    assert html.startswith("<!DOCTYPE html>")
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert not parser.stack
    tree = ET.fromstring(html.partition("\n")[2])
    identities = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(identities) == len(set(identities))
    links = [element.get("href") for element in tree.iter(f"{XHTML}a")]
    assert all(link[0] == "#" and link[1:] in identities for link in links)
    return tree


def text_of(tree):
    return " ".join(" ".join(part.split()) for part in tree.find(f"{XHTML}body").itertext() if part.strip())


def every_page():
    return {
        "report": page.page(REPORT),
        "empty": page.page(Report("nothing", ())),
        "passing": page.page(GOOD),
        "suite": page.suite_page("all", [REPORT, GOOD, REPORT]),
        "no reports": page.suite_page("all", []),
    }


@pytest.mark.parametrize("name", every_page())
def test_pages_are_well_formed_and_need_nothing_from_elsewhere(name):
    html = every_page()[name]
    tree = parsed(html)
    tags = {element.tag.partition("}")[2] for element in tree.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not re.search(r"url\(|@import|src=|https?://(?!www\.w3\.org/)", html)
    assert tree.get("lang") == "en"
    assert len(list(tree.iter(f"{XHTML}h1"))) == 1
    assert "prefers-color-scheme: dark" in html


def test_a_page_says_what_the_report_says():
    tree = parsed(REPORT.to_html())
    text = text_of(tree)
    for row in REPORT.rows:
        assert row.name in text
        assert row.detail in text
        assert row.verdict.value in text
    assert "✗ not passed" in text
    assert "3 of 4 rows passed; found: wrong, kink." in text
    assert REPORT.diagnosis[0] in text
    assert "seed 7" in text
    assert Verdict.WRONG.help in text
    assert Verdict.KINK.help in text
    assert Verdict.VANISHED.help not in text
    lines = [[" ".join(cell.itertext()) for cell in line] for line in tree.iter(f"{XHTML}tr")]
    assert ["[4, 1]", "4", "1.23457", "1.23457", "1.9e−06", "1.0e−11", "3.0e−12"] in lines
    assert ["[0, 0]", "–", "−1e−300", "0.666667", "6.7e−01", "1.0e−11", "–"] in lines
    assert ["W", "gradient", "✗ wrong", "5.0e−01", "1.0e−09", "1 of 6 entries differ"] in lines


def test_what_did_not_pass_is_unfolded():
    tree = parsed(page.page(REPORT))
    shown = {element.get("id"): element.get("open") for element in tree.iter(f"{XHTML}details")}
    assert shown == {"row-2": "open", "row-3": None}


def test_everything_is_escaped():
    row = replace(WRONG, name=NASTY, detail=NASTY, group=NASTY)
    report = Report(NASTY, (row,), {NASTY: NASTY}, (NASTY,))
    for html in (page.page(report), page.suite_page(NASTY, [report])):
        tree = parsed(html)
        assert "<script" not in html
        assert text_of(tree).count("<script>alert('1') & \"2\"</script>") >= 6


def test_numbers_have_no_more_digits_than_a_reader_can_use():
    rng = np.random.default_rng(0)
    entries = tuple(Entry((k,), *rng.standard_normal(4).tolist()) for k in range(4))
    row = replace(WRONG, worst=entries, ratios=rng.random((7, 5)), error=1 / 3, tolerance=1 / 7)
    assert not re.search(r"\d\.\d{7,}", page.page(Report("digits", (row,))))
    assert number(1 / 3) == "0.333333"
    assert number(-0.0) == "0"
    assert number(1 / 3 - 2j) == "0.333333 − 2i"
    assert (number(math.nan), number(-math.inf), number(None), small(math.inf)) == ("NaN", "−∞", "–", "∞")


def pictures_of(html):
    return list(ET.fromstring(html.partition("\n")[2]).iter(f"{SVG}svg"))


def test_every_picture_is_told_in_words():
    found = pictures_of(page.page(REPORT))
    assert len(found) == 4  # curve, steps and map of W, map of b
    for picture in found:
        assert picture.get("role") == "img"
        title, told = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
        assert picture.get("aria-labelledby").split() == [title.get("id"), told.get("id")]
        assert title.text
        assert told.text
    words = " ".join(picture.find(f"{SVG}desc").text for picture in found)
    assert "2 of 6 entries beyond tolerance; the worst, [1, 1], has error / tolerance ∞." in words
    assert "Beyond tolerance: 1 step, the first 1, the last 1." in words
    assert "at 3 step sizes from 1.0e−06 to 1.0e−02. It is smallest, 0, at h = 1.0e−06." in words


def drawn(picture):
    """The bounds of everything in it, and its size."""
    tree = ET.fromstring(picture)
    size = float(tree.get("width")), float(tree.get("height"))
    places = []
    for element in tree.iter():
        get = element.get
        if element.tag == f"{SVG}rect":
            x, y = float(get("x")), float(get("y"))
            places += [(x, y), (x + float(get("width")), y + float(get("height")))]
        elif element.tag == f"{SVG}line":
            places += [(float(get("x1")), float(get("y1"))), (float(get("x2")), float(get("y2")))]
        elif element.tag == f"{SVG}circle":
            places.append((float(get("cx")), float(get("cy"))))
    return np.array(places), size


CURVES = [
    [(1.0, 1.0)],
    [(1e-300, 1e-300), (1e300, 1e300)],
    [(2.0**-k, 4.0**-k + 1e-12) for k in range(30)],
    [(0.1, 0.0), (0.01, 5.0), (0.001, math.inf), (0.0001, math.nan)],
]


@pytest.mark.parametrize("points", CURVES)
@pytest.mark.parametrize("tolerance", [0.0, 1e-11, math.nan, 1e5])
def test_curves_stay_inside_their_frame(points, tolerance):
    places, size = drawn(pictures.curve(points, tolerance, "a", "W"))
    assert np.isfinite(places).all()
    assert (places >= 0).all()
    assert (places <= size).all()


def test_a_curve_of_a_right_gradient_has_slope_two():
    points = [(2.0**-k, 4.0**-k) for k in range(8)]
    tree = ET.fromstring(pictures.curve(points, math.nan, "a", "W"))
    dots = np.array([(float(c.get("cx")), float(c.get("cy"))) for c in tree.iter(f"{SVG}circle")])
    assert np.ptp(np.diff(dots[:, 1]) / np.diff(dots[:, 0])) < 0.05
    guide = next(line for line in tree.iter(f"{SVG}line") if line.get("class") == "guide")
    slope = (float(guide.get("y2")) - float(guide.get("y1"))) / (float(guide.get("x2")) - float(guide.get("x1")))
    assert slope == pytest.approx((np.diff(dots[:, 1]) / np.diff(dots[:, 0])).mean(), rel=0.01)


def test_there_is_nothing_to_draw_of_nothing():
    assert not pictures.curve([], 1.0, "a", "W")
    assert not pictures.curve([(0.1, 0.0), (0.2, math.inf)], 1.0, "a", "W")
    assert not pictures.heat_map(np.zeros((0, 3)), None, "a", "W")
    assert not pictures.steps(np.zeros((0, 3)), 0, "a", "W")


SHAPES = [((), None), ((5,), None), ((200,), None), ((3, 4), None), ((130, 70), None), ((6, 4, 3), 0), ((2, 300, 3), 1)]


@pytest.mark.parametrize(("shape", "time_axis"), SHAPES)
def test_maps_of_any_shape_show_every_entry_inside_their_frame(shape, time_axis):
    ratios = np.full(shape, 0.5)
    places, size = drawn(pictures.heat_map(ratios, time_axis, "a", "W"))
    assert (places >= 0).all()
    assert (places <= size).all()
    for index in [tuple(n // 2 for n in shape), tuple(n - 1 for n in shape)]:
        wrong = ratios.copy()
        wrong[index] = 1e7
        tree = ET.fromstring(pictures.heat_map(wrong, time_axis, "a", "W"))
        cells = [r for r in tree.iter(f"{SVG}rect") if r.get("class") == "f4" and float(r.get("height")) != 10]
        assert len(cells) == 1  # not averaged away, whatever shares its cell
        assert "1 of" in tree.find(f"{SVG}desc").text
        if time_axis is not None:
            picture = pictures.steps(wrong, time_axis, "a", "W")
            assert len([r for r in ET.fromstring(picture).iter(f"{SVG}rect") if r.get("class") == "f4"]) == 1


def test_cells_are_at_their_entries():
    ratios = np.zeros((3, 4))
    ratios[2, 1] = 1e3
    tree = ET.fromstring(pictures.heat_map(ratios, None, "a", "W"))
    cell = next(r for r in tree.iter(f"{SVG}rect") if r.get("class") == "f2")
    side = float(cell.get("width"))
    assert (float(cell.get("x")), float(cell.get("y"))) == (1 * side + 1, 20 + 2 * side)


def test_levels_change_colour_at_the_tolerance():
    assert pictures._level(1.0)[0] == "p"
    assert pictures._level(np.nextafter(1.0, 2.0))[0] == "f"
    assert pictures._level(0.0) == "zero"
    assert pictures._level(math.inf) == "f6"
    assert pictures._level(math.nan) == "none"


def test_a_large_map_stays_small():
    assert len(pictures.heat_map(np.random.default_rng(0).random((500, 500)) * 3, None, "a", "W")) < 500_000


def test_a_suite_has_a_summary_and_folds_what_passed():
    html = page.suite_page("golden vectors", [GOOD, REPORT])
    tree = parsed(html)
    assert "1 of 2 reports passed." in text_of(tree)
    shown = {element.get("id"): element.get("open") for element in tree.iter(f"{XHTML}details")}
    assert shown == {"report-0": None, "report-1": "open", "report-1-row-2": "open"}
    assert len(pictures_of(html)) == 3  # none of rows that passed


def contrast(first, second):
    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_stands_out_from_what_is_behind_it(theme):
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", STYLE.split("@media")[theme]))
    pairs = [("text", "page"), ("text", "panel"), ("quiet", "page"), ("quiet", "panel"), ("link", "page"),
             ("link", "panel"), ("text", "bad-back"),
             *((name, f"{name}-back") for name in ("good", "bad", "open"))]  # fmt: skip
    for front, back in pairs:
        assert contrast(colours[front], colours[back]) >= 4.5, (front, back)
    for front in ("curve", "limit"):
        assert contrast(colours[front], colours["panel"]) >= 3.0, front


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_page_of_a_real_check(scale):
    point = (np.random.default_rng(0).standard_normal((3, 4)),)
    report = check_gradient(lambda a: np.tanh(a).sum(axis=0), lambda a, u: (scale * u / np.cosh(a[0]) ** 2,), point)
    assert report.passed == (scale == 1.0)
    html = report.to_html()
    parsed(html)
    assert len(pictures_of(html)) == 2
