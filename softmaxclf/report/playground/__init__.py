"""A page in which anyone can use a model: its markup, its style and the scripts that compute in the browser.

`content` makes the page of a `Playground`; `document` holds what the scripts read. The scripts are plain functions of
one scope, those that a model needs behind each other: model.js (scores, evidence, softmax), patches.js,
pixels.js (an image file as a row), canvas.js (rows and maps as pictures), bench.js (what every page shows), then
templates.js and images.js, or features.js (where a row comes from).
"""
