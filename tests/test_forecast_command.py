from pathlib import Path

import numpy as np
import pytest
import typer
from safetensors.numpy import load_file
from typer.testing import CliRunner

from spectral_rank.data.series import SeriesError
from spectral_rank.data.shipped_series import shipped
from spectral_rank.forecast_command import forecast_command
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.forecast_report import ForecastReport, forecast_csv
from spectral_rank.training.forecasting import TrainingOptions

QUICK = TrainingOptions(max_steps=20, check_every=10)
FEW = ("seasonal naive", "NLinear")

app = typer.Typer()
app.command()(forecast_command)


@pytest.fixture
def nile(tmp_path: Path) -> Path:
    path = tmp_path / "nile.csv"
    path.write_text("volume\n" + "\n".join(str(value) for value in shipped("nile").values))
    return path


def test_the_collapsed_map_makes_the_forecast(nile: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "deep"
    seen: list[tuple[str, int, int]] = []
    report = forecast_csv(
        nile,
        output,
        horizon=4,
        options=QUICK,
        baselines=FEW,
        progress=lambda *step: seen.append(step),
    )
    tensors = load_file(output / "collapsed.safetensors")
    latest = shipped("nile").values[-report.lookback :]
    assert np.allclose(tensors["weight"] @ latest + tensors["offset"], report.forecast, rtol=1e-12)
    assert [row.name for row in report.rows] == ["deep linear 8", *FEW]
    assert seen == [
        ("deep linear 8", 0, 4),
        ("seasonal naive", 1, 4),
        ("NLinear", 2, 4),
        ("all data", 3, 4),
    ]
    written = ForecastReport.model_validate_json((output / "report.json").read_text())
    assert written == report
    assert (output / "forecast.csv").read_text().startswith("steps ahead,volume\n1,")
    assert "<svg" in (output / "interpretation.svg").read_text()[:1000]


def test_the_same_seed_gives_the_same_files(nile: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        forecast_csv(nile, tmp_path / folder, horizon=2, options=QUICK, baselines=())
    for name in ("collapsed.safetensors", "forecast.csv", "interpretation.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "error", "rule"),
    [
        ({"horizon": 0}, DomainError, "horizon = 0"),
        ({"horizon": 200}, SeriesError, "beyond the data"),
        ({"horizon": 40}, SeriesError, "too short"),
        ({"depth": 0}, DomainError, "depth = 0"),
        ({"season": 0}, DomainError, "season = 0"),
        ({"lookback": 0}, DomainError, "lookback = 0"),
        ({"lookback": 5, "season": 12}, DomainError, "lookback = 5"),
        ({"column": "level"}, SeriesError, "no such column"),
        ({"budget": 10}, DomainError, "budget = 10"),
        ({"baselines": ("prophet",)}, DomainError, "prophet"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    nile: Path, tmp_path: Path, options: dict, error: type[Exception], rule: str
) -> None:
    started: list[str] = []
    with pytest.raises(error, match=rule):
        forecast_csv(
            nile,
            tmp_path / "out",
            **({"horizon": 4, "options": QUICK} | options),
            progress=lambda name, done, total: started.append(name),
        )
    assert not started


def test_a_series_that_repeats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    path.write_text("x\n" + "1\n2\n3\n2\n" * 30)
    with pytest.raises(SeriesError, match="repeats every 4 steps"):
        forecast_csv(path, tmp_path / "out", horizon=2, season=4, options=QUICK)


def test_the_command_names_file_column_and_rule(tmp_path: Path) -> None:
    path = tmp_path / "gap.csv"
    path.write_text("x,y\n1,a\n,b\n3,c\n")
    found = CliRunner().invoke(app, [str(path), "--horizon", "1"], env={"COLUMNS": "400"})
    assert found.exit_code == 2
    assert "column 'x': 1 of 3 values missing in 1 gap" in found.output
