"""Static int8 quantization of a float ONNX model, once for all runtimes: QDQ form, activations uint8 per tensor, weights
int8 per output channel, ranges from pictures. Needs onnxruntime."""

import logging

from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static


class Samples(CalibrationDataReader):
    def __init__(self, name, samples):
        self.rest = iter([{name: sample[None]} for sample in samples])

    def get_next(self):
        return next(self.rest, None)


def quantize(source, target, input_name, samples):
    """Writes the quantized form of the model file `source` to `target`. `samples`: inputs without batch axis."""
    logging.disable(logging.WARNING)
    quantize_static(
        source, target, Samples(input_name, samples), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
