"""Networks run on torch, OpenVINO or ONNX Runtime."""
