"""``silvertalk export``: a network for other tools."""

from silvertalk.utils.cli import worker


def export(model: str, out: str, format: str = "wav2lip") -> None:
    """Write a trained network in a format that other tools read.

    Args:
        model: Experiment folder of a network, or a file of weights, published or exported.
        out: The file to write; of openvino the .xml.
        format: wav2lip (what the published scripts read), safetensors, onnx or openvino for a generator or expert;
            makeittalk (likewise) for a network of MakeItTalk.
    """
    if format == "makeittalk":
        from silvertalk.makeittalk.checkpoint import export_official

        export_official(model, out)
        return
    from silvertalk.wav2lip import export_network

    export_network(model, out, format)


get_parser, main = worker(export, prog="silvertalk export")
