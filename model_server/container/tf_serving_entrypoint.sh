#!/bin/sh
# Upstream's ports and its one model from MODEL_NAME and MODEL_BASE_PATH; arguments come after, and win.
# `exec`, so that signals reach the server and it can drain.
exec /usr/bin/tensorflow_model_server --port=8500 --rest_api_port=8501 \
    --model_name="${MODEL_NAME}" --model_base_path="${MODEL_BASE_PATH}/${MODEL_NAME}" "$@"
