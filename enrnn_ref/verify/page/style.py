"""The style sheet of a page, for light and dark screens and for paper."""

LEVELS = ("zero", "p3", "p2", "p1", "f1", "f2", "f3", "f4", "f5", "f6", "none")
"""Colours of the maps: no error, three levels within tolerance, six beyond, not compared."""

_LIGHT = {
    "page": "#ffffff",
    "text": "#1b1f24",
    "quiet": "#57606a",
    "line": "#d0d7de",
    "panel": "#f6f8fa",
    "link": "#0550ae",
    "good": "#116329",
    "good-back": "#dafbe1",
    "bad": "#a40e26",
    "bad-back": "#ffebe9",
    "open": "#744500",
    "open-back": "#fff3c4",
    "curve": "#0550ae",
    "limit": "#a40e26",
    "zero": "#f3f5f7",
    "p3": "#d3e4f4",
    "p2": "#9cc3e6",
    "p1": "#5b97cf",
    "f1": "#fbd38d",
    "f2": "#f5a55a",
    "f3": "#e8743b",
    "f4": "#cf4524",
    "f5": "#a81f16",
    "f6": "#6b0a0a",
    "none": "#ffffff",
}
_DARK = {
    "page": "#0d1117",
    "text": "#e6edf3",
    "quiet": "#9aa5b1",
    "line": "#30363d",
    "panel": "#161b22",
    "link": "#79b8ff",
    "good": "#7ee2a8",
    "good-back": "#0f3320",
    "bad": "#ffa198",
    "bad-back": "#4a1016",
    "open": "#f2cc60",
    "open-back": "#3f2f04",
    "curve": "#79b8ff",
    "limit": "#ff7b72",
    "zero": "#1b2129",
    "p3": "#16304a",
    "p2": "#22527f",
    "p1": "#3f83c4",
    "f1": "#6b4a12",
    "f2": "#9a5b16",
    "f3": "#cc6a22",
    "f4": "#ee6a45",
    "f5": "#ff9480",
    "f6": "#ffd3c9",
    "none": "#0d1117",
}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_variables(_LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK)} }} }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; }}
h3 {{ font-size: 1.05rem; margin: 1.5rem 0 .5rem; }}
h4 {{ font-size: .95rem; margin: 1rem 0 .25rem; }}
a {{ color: var(--link); }}
p {{ margin: .25rem 0 .75rem; }}
.quiet {{ color: var(--quiet); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; }}
th, td {{ padding: .3rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }}
thead th {{ color: var(--quiet); font-weight: 600; vertical-align: bottom; }}
tbody th {{ font-weight: 600; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
.badge {{ display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .85rem; font-weight: 600;
  white-space: nowrap; border: 1px solid currentColor; }}
.good {{ color: var(--good); background: var(--good-back); }}
.bad {{ color: var(--bad); background: var(--bad-back); }}
.open {{ color: var(--open); background: var(--open-back); }}
.diagnosis {{ margin: 1rem 0; padding: .75rem 1rem; border-left: .3rem solid var(--limit);
  background: var(--bad-back); }}
.diagnosis h2, .diagnosis h3 {{ margin: 0 0 .25rem; font-size: 1rem; }}
.diagnosis ul {{ margin: 0; padding-left: 1.2rem; font-weight: 600; }}
.card {{ margin: 1rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--panel); }}
summary {{ cursor: pointer; font-weight: 600; }}
details > summary + * {{ margin-top: .75rem; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
figure {{ margin: 1rem 0 0; max-width: 100%; }}
figcaption {{ font-size: .85rem; color: var(--quiet); max-width: 26rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; font-size: .9rem; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
svg {{ max-width: 100%; height: auto; display: block; }}
svg text {{ fill: var(--text); font: 11px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
svg .axis {{ stroke: var(--quiet); fill: none; }}
svg .grid {{ stroke: var(--line); fill: none; }}
svg .curve {{ stroke: var(--curve); fill: none; stroke-width: 2; }}
svg .dot {{ fill: var(--curve); }}
svg .guide {{ stroke: var(--quiet); fill: none; stroke-dasharray: 1 3; }}
svg .limit {{ stroke: var(--limit); fill: none; stroke-width: 1.5; stroke-dasharray: 6 3; }}
{" ".join(f"svg .{level} {{ fill: var(--{level}); }}" for level in LEVELS)}
@media print {{ details > * {{ display: block; }} .card {{ break-inside: avoid; }} }}
"""
