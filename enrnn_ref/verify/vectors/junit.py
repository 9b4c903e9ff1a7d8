"""Reports as JUnit XML, which continuous integration reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from enrnn_ref.verify.report import Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(title: str, reports: Sequence[Report]) -> str:
    """A ``testsuite`` for each model, a ``testcase`` for each report, a ``failure`` with its text where it fails."""
    root = ET.Element("testsuites", name=_clean(title))
    models = dict.fromkeys(str(report.settings["model"]) for report in reports)
    for model in models:
        own = [report for report in reports if report.settings["model"] == model]
        suite = ET.SubElement(root, "testsuite", name=_clean(model))
        _count(suite, own)
        for report in own:
            case = ET.SubElement(suite, "testcase", classname=_clean(f"vectors.{model}"), name=_clean(report.title))
            row = next((row for row in report.rows if not row.passed), None)
            if row is not None:
                message = f"{row.name}: {row.verdict}: {row.detail}"
                failure = ET.SubElement(case, "failure", type=row.verdict.value, message=_clean(message))
                failure.text = _clean(str(report))
    _count(root, reports)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _count(element: ET.Element, reports: Sequence[Report]) -> None:
    failures = sum(not report.passed for report in reports)
    element.attrib |= {"tests": str(len(reports)), "failures": str(failures), "errors": "0", "skipped": "0"}


def _clean(text: str) -> str:
    """``text`` without the characters that XML has no way to write; a foreign program may have put them there."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
