"""Panels side by side in one SVG file, written by hand: no library draws them."""

import math

COLOURS = ["#0b6e4f", "#7a7a7a", "#3b6fb5", "#c1666b", "#b98b2f", "#6b4fa0"]
PANEL_WIDTH, PANEL_HEIGHT, GAP, LEFT, TOP, BOTTOM = 300, 210, 62, 52, 58, 44


class Axis:
    """From low to high, with marks: (value, text)."""

    def __init__(self, low, high, marks):
        self.low, self.high, self.marks = low, high, marks

    @staticmethod
    def in_quarters(low, high, unit):
        values = [low + (high - low) * i / 4 for i in range(5)]
        return Axis(low, high, [(value, f"{value:g}{unit}") for value in values])

    def position(self, value):
        """0 at low, 1 at high; what lies outside is drawn at the end."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


class LogAxis(Axis):
    """Equal ratios are equally far apart. Marks stand at 1, 2 and 5 times the powers of ten."""

    def __init__(self, low, high):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        super().__init__(low, high, [(value, f"{value:g}") for value in values if low <= value <= high])

    def position(self, value):
        return math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)


class Panel:
    def __init__(self, index, title, x_axis, y_axis):
        self.x0 = LEFT + index * (PANEL_WIDTH + GAP)
        self.title, self.x_axis, self.y_axis = title, x_axis, y_axis

    def x(self, value):
        return self.x0 + PANEL_WIDTH * self.x_axis.position(value)

    def y(self, value):
        return TOP + PANEL_HEIGHT * (1 - self.y_axis.position(value))

    def axes(self):
        parts = [f'<text x="{self.x0}" y="{TOP - 12}" class="title">{self.title}</text>']
        for value, text in self.y_axis.marks:
            y = self.y(value)
            parts.append(f'<line x1="{self.x0}" x2="{self.x0 + PANEL_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(f'<text x="{self.x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for value, text in self.x_axis.marks:
            parts.append(
                f'<text x="{self.x(value):.1f}" y="{TOP + PANEL_HEIGHT + 18}" text-anchor="middle">{text}</text>'
            )
        return parts

    def line(self, points, colour, bold):
        """A dot at each of `points`, (x, y) in the axes' values, and a line through them."""
        points = [(self.x(x), self.y(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{3 if bold else 1.7}"/>']
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 if bold else 2.2}" fill="{colour}"/>' for x, y in points]
        return parts


def legend_entry(x, name, colour, bold, dashes=""):
    """A short line and its name, from x on in the top row. `dashes` is an attribute of the line."""
    return [
        f'<line x1="{x}" x2="{x + 22}" y1="18" y2="18" stroke="{colour}" stroke-width="{3 if bold else 1.7}"{dashes}/>',
        f'<text x="{x + 28}" y="22">{name}</text>',
    ]


def document(panels, parts, caption, least_width=0):
    """The file's text: room for that many panels, `parts` drawn into it, the caption below."""
    width = max(LEFT + panels * PANEL_WIDTH + (panels - 1) * GAP + 20, least_width)
    height = TOP + PANEL_HEIGHT + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<style>text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.grid{stroke:#ddd}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *parts,
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">{caption}</text>',
    ]
    return "\n".join(lines) + "\n</svg>\n"
