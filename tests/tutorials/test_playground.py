"""The playground's own few lines of JavaScript against the library, and the page in a browser."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minisam as ms

PAGE = Path(__file__).parents[2] / "tutorials" / "playground.html"
NODE = shutil.which("node")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
P = {"rho": 0.3, "d": 2.0, "c": 1.6, "eta": 0.1, "theta": 0.2, "delta": 0.7}
D = {
    "I": ms.Identity(),
    "a fixed diagonal": ms.Diagonal(np.array([2.0, 0.5])),
    "running average d": ms.Averaged(0.2),
    "g − running average": ms.Friendly(1.0, 0.9),
    "1 / (noise + δ mean noise)": ms.NoiseWeights(0.2, 0.7, 2.0),
}
C = {
    "I": ms.Identity(),
    "a fixed diagonal": ms.Diagonal(np.array([1.6, 1 / 1.6])),
    "|w| + η": ms.Magnitude(0.1),
    "(1 + η g²)^(−1/2)": ms.Fisher(0.1),
}


@pytest.mark.skipif(NODE is None, reason="no node to run the page's JavaScript")
def test_the_page_computes_what_the_library_computes():
    script = PAGE.read_text().split('<script id="method">')[1].split("</script>")[0]
    rng = np.random.default_rng(0)
    cases = []
    for D_name in D:
        for C_name in C:
            w, gs = rng.standard_normal(2), rng.standard_normal((7, 2))
            gs[:, 1] = 0 if len(cases) % 3 == 0 else gs[:, 1]  # a dead coordinate now and then
            cases.append((w.tolist(), gs.tolist(), P | {"D": D_name, "C": C_name}))
    script += f"; console.log(JSON.stringify({json.dumps(cases)}.map(c => perturb(...c).eps)))"
    done = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, check=True)
    for (w, gs, p), eps in zip(cases, json.loads(done.stdout), strict=True):
        rule = ms.PreSAM(p["rho"], D[p["D"]], C[p["C"]])
        w, state = np.array(w), rule.init(np.array(w))
        for g in np.array(gs):
            want, state = rule.perturb(w, g, state)
        np.testing.assert_allclose(eps, want, rtol=1e-12, atol=1e-15, err_msg=str(p))


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page in")
def test_the_page_draws_in_a_browser(tmp_path):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", f"--user-data-dir={tmp_path}", "--dump-dom"]
    url = f"{PAGE.as_uri()}#method=ASAM&rho=0.5"
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=120)
    assert 'aria-pressed="true">ASAM' in done.stdout
    assert "should be ρ</td><td>0.500</td>" in done.stdout
