"""Make a small untrained network with seeded weights: python tests/networks.py NAME FORMAT FOLDER.

Writes FOLDER/NAME.keras (or NAME.h5, or the SavedModel NAME), calibration.npz with random images and expected.npy, what
Keras gives for them. A process of its own, since the tests' process stays free of TensorFlow.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

IMAGES = 40


def conv(x, filters, size=3, strides=1, relu=True):
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def resnet8():
    """MLPerf Tiny's image classification: 32x32x3, three stacks of residual blocks."""
    image = keras.Input((32, 32, 3))
    x = conv(image, 16)
    for filters in (16, 32, 64):
        strides = 1 if filters == 16 else 2
        y = conv(conv(x, filters, strides=strides), filters, relu=False)
        x = x if strides == 1 else conv(x, filters, size=1, strides=2, relu=False)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def ds_cnn():
    """MLPerf Tiny's keyword spotting: 49x10x1, depthwise separable convolutions."""
    image = keras.Input((49, 10, 1))
    x = conv(image, 64, size=(10, 4), strides=2)
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = conv(layers.ReLU()(layers.BatchNormalization()(x)), 64, size=1)
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.4)(x))
    return keras.Model(image, layers.Dense(12, activation="softmax")(x))


def mobilenet():
    """MobileNetV2, width 0.35, 96x96x3."""
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)


def nested():
    """Rescaling inside, a sub-model, depthwise, logits; two layers that differ by a number alone."""
    sub = keras.Sequential([keras.Input((16, 16, 8)), layers.Conv2D(8, 1, activation="relu6")], name="sub")
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(8, 3, padding="same", name="conv", activation="relu")(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same", name="conv_1")(x)])
    return keras.Model(image, layers.Dense(4, name="conv_1_1")(layers.GlobalMaxPooling2D()(sub(x))))


def head(x, classes=4):
    return layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def swish():
    """A block of EfficientNet: Normalization, depthwise, squeeze-and-excite, stochastic depth."""
    image = keras.Input((16, 16, 3))
    x = layers.Normalization(mean=(0.5, 0.4, 0.3), variance=(0.1, 0.2, 0.1))(image)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = y = layers.Activation("swish")(conv(x, 8, strides=2, relu=False))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    x = layers.Activation("swish")(x)
    s = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    s = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="swish")(s))
    x = layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))(layers.Multiply()([x, s]))
    return keras.Model(image, head(layers.Add()([x, y])))


def hard_swish():
    """A block of MobileNetV3."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, activation="hard_swish")(layers.Rescaling(2.0, -1.0)(image))
    s = layers.Conv2D(8, 1, activation="hard_sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(image, head(layers.Activation("hard_silu")(layers.Multiply()([x, s]))))


def gelu():
    """A block of ConvNeXt: patches, a depthwise convolution of 7x7, layer normalization, GELU."""
    image = keras.Input((16, 16, 3))
    x = y = layers.Conv2D(8, 4, 4)(image)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.DepthwiseConv2D(7, padding="same")(x))
    x = layers.Dense(8)(layers.Activation("gelu")(layers.Dense(16)(x)))
    return keras.Model(image, head(layers.Add()([x, y])))


def grouped():
    """Convolutions in groups, as ResNeXt and ShuffleNet have them."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, activation="relu")(image)
    return keras.Model(image, head(layers.Conv2D(8, 3, groups=4, padding="same", activation="relu")(x)))


def mixed():
    """A network for training in float16; nothing says so to its last layer."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    image = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D()(conv(image, 8))
    model = keras.Model(image, head(layers.LayerNormalization()(x)))
    keras.mixed_precision.set_global_policy("float32")
    return model


def augmented():
    """Layers that distort images while a network is trained, and noise; at inference they hand them on."""
    x = image = keras.Input((16, 16, 3))
    for layer in (
        layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomZoom(0.2), layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.9), layers.RandomBrightness(0.3, value_range=(0, 1)), layers.GaussianNoise(0.5),
    ):  # fmt: skip
        x = layer(x)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    return keras.Model(image, head(layers.Dropout(0.5)(x, training=True)))


def recurrent():
    """An LSTM over the rows, both ways."""
    image = keras.Input((12, 8, 3))
    x = layers.Bidirectional(layers.LSTM(6))(layers.Reshape((12, 24))(image))
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


def recurrent_convolution():
    image = keras.Input((12, 8, 3))
    return keras.Model(image, head(layers.ConvLSTM2D(4, 3)(layers.Reshape((3, 4, 8, 3))(image))))


def attention():
    image = keras.Input((12, 8, 3))
    x = layers.Reshape((12, 24))(image)
    x = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


def transposed():
    """What segmentation networks are made of, and rarer activations."""
    image = keras.Input((16, 16, 3))
    x = layers.SeparableConv2D(8, 3, padding="same", activation="elu")(image)
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2DTranspose(8, 3, 2, padding="same")(x))
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.GroupNormalization(2)(x))
    x = layers.AveragePooling2D(3, 2, padding="same")(x)
    return keras.Model(image, head(layers.Conv2D(8, 3, dilation_rate=2, activation="mish")(x)))


def unsupported():
    """Lanczos resizing, which neither TFLite's own operators nor ONNX have."""
    image = keras.Input((16, 16, 3))
    x = layers.Resizing(8, 8, interpolation="lanczos5", name="shrink")(image)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def two_inputs():
    a, b = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    return keras.Model([a, b], layers.Dense(3)(layers.Flatten()(layers.Add()([a, b]))))


def no_classifier():
    image = keras.Input((8, 8, 1))
    return keras.Model(image, layers.Conv2D(4, 3)(image))


def with_lambda():
    image = keras.Input((8, 8, 1))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Lambda(lambda x: x * 2)(image))))


def reads_files(folder):
    """A SavedModel that reads a file when it is called."""
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.float32)])
        def serve(self, image):
            return {
                "out": tf.reduce_mean(image, (1, 2))
                + tf.cast(tf.strings.length(tf.io.read_file("/etc/hosts")), tf.float32)
            }

    module = Module()
    tf.saved_model.save(module, str(Path(folder) / "reads_files"), signatures=module.serve)


def loud(folder):
    """The trained network of `folder`, one channel of its first convolution 3,000 times as loud, the next layer deaf.

    ReLU and maximum commute with a positive factor: the function stays the same, but int8 has one scale a tensor.
    """
    model = keras.models.load_model(Path(folder) / "model.keras", compile=False)
    kernel, bias = model.get_layer("conv2d").get_weights()
    following, offset = model.get_layer("conv2d_1").get_weights()
    kernel[..., 0], bias[0], following[:, :, 0] = kernel[..., 0] * 3000, bias[0] * 3000, following[:, :, 0] / 3000
    model.get_layer("conv2d").set_weights([kernel, bias])
    model.get_layer("conv2d_1").set_weights([following, offset])
    model.save(Path(folder) / "loud.keras")


def vary(model):
    """Give batch normalization statistics and biases that are not those of a new layer."""
    random = np.random.default_rng(1)
    for weights in model.weights:
        name = weights.path.split("/")[-1]
        if name in ("moving_mean", "beta", "bias"):
            weights.assign(random.normal(0, 0.1, weights.shape))
        elif name in ("moving_variance", "gamma"):
            weights.assign(random.uniform(0.6, 1.4, weights.shape))


def keras_2(path):
    """Write into an .h5 file what Keras 2 wrote: a key `groups` at each DepthwiseConv2D."""
    import json

    import h5py

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = "2.15.0"


def main(name, kind, folder):
    if name in ("loud", "reads_files"):
        globals()[name](folder)
        return
    keras.utils.set_random_seed(0)
    model = globals()[name]()
    vary(model)
    path = Path(folder) / (name if kind == "saved" else f"{name}.{kind}")
    if kind == "saved":
        model.export(path, verbose=False)
    else:
        model.save(path)
    if kind == "h5":
        keras_2(path)
    if len(model.inputs) == 1:
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, *model.input_shape[1:]), np.uint8)
        np.savez(Path(folder) / "calibration.npz", images=images)
        scale = 1 if name == "nested" else np.float32(1 / 255)
        np.save(Path(folder) / "expected.npy", model.predict(images.astype(np.float32) * scale, verbose=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
