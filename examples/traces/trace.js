// Prints the smallest useful trace of a network in JavaScript: XOR with sigmoid units and squared error, one step.
//
//     node trace.js > trace.json

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const images = [[0, 0], [0, 1], [1, 0], [1, 1]];
const labels = [0, 1, 1, 0];
const w1 = [[0.3, -0.4, 0.5], [0.6, 0.7, -0.8]], b1 = [0.1, -0.1, 0.2];
const w2 = [0.9, -1.0, 1.1], b2 = -0.3;
const rate = 0.5;

// From here on, your own network: the sum over the images of (a - t)² / 2.
let loss = 0, db2 = 0;
const dw2 = [0, 0, 0], db1 = [0, 0, 0], dw1 = [[0, 0, 0], [0, 0, 0]];
images.forEach((image, number) => {
  const hidden = b1.map((b, unit) => sigmoid(b + image[0] * w1[0][unit] + image[1] * w1[1][unit]));
  const output = sigmoid(b2 + hidden.reduce((sum, a, unit) => sum + a * w2[unit], 0));
  loss += (output - labels[number]) ** 2 / 2;
  const delta = (output - labels[number]) * output * (1 - output);
  db2 += delta;
  hidden.forEach((a, unit) => {
    dw2[unit] += delta * a;
    const below = delta * w2[unit] * a * (1 - a);
    db1[unit] += below;
    image.forEach((x, input) => { dw1[input][unit] += below * x; });
  });
});

console.log(JSON.stringify({
  format: "mlp-parity-trace/2", activation: "sigmoid", loss_function: "squared-error", output: "sigmoid",
  loss_factor: 0.5, reduction: "sum", learning_rate: rate,
  "initial.layer1.weight": w1, "initial.layer1.bias": b1,
  "initial.output_layer.weight": w2.map((w) => [w]), "initial.output_layer.bias": [b2],
  "batch.0.images": images, "batch.0.labels": labels, loss,
  "step.0.layer1.weight": w1.map((row, input) => row.map((w, unit) => w - rate * dw1[input][unit])),
  "step.0.layer1.bias": b1.map((b, unit) => b - rate * db1[unit]),
  "step.0.output_layer.weight": w2.map((w, unit) => [w - rate * dw2[unit]]),
  "step.0.output_layer.bias": [b2 - rate * db2],
}));
