"""Okabe-Ito colours, told apart under the common colour vision deficiencies."""

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
GREY = "#555555"
