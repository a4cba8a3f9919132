"""`helm test`: a picture gets an answer through the Service."""

from __future__ import annotations

import os

from test_gateway import call, form, picture

url = f"{os.environ['PREDICT_URL']}/v1/models/{os.environ['MODEL']}/predictions"
answer = call("POST", url, *form([picture(200, 120, 40)], "images"))
[prediction] = answer["predictions"]
best = prediction["classifications"][0]
print(f"{answer['model']} version {answer['version']} says {best['label']} ({best['score']:.3f})")
