/* Prints the smallest useful trace of a network in C as JSON: no hidden layer, one batch, one loss.
 *
 *     cc -o trace trace.c -lm && ./trace > trace.json
 */
#include <math.h>
#include <stdio.h>

enum { IMAGES = 2, INPUTS = 3, CLASSES = 2 };

/* Prints an array of floats with the nine digits that identify each one. */
static void print_array(const char *name, const float *values, int rows, int columns) {
    printf(",\n\"%s\": [", name);
    for (int row = 0; row < rows; row++) {
        printf(row ? ", [" : "[");
        for (int column = 0; column < columns; column++)
            printf(column ? ", %.9g" : "%.9g", values[row * columns + column]);
        printf("]");
    }
    printf("]");
}

int main(void) {
    const float images[IMAGES * INPUTS] = {0.5f, 0.25f, 1.0f, 0.0f, 0.75f, 0.125f};
    const int labels[IMAGES] = {0, 1};
    const float weights[INPUTS * CLASSES] = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f, 0.6f};
    const float bias[CLASSES] = {0.05f, -0.05f};
    float logits[IMAGES * CLASSES], loss = 0.0f;

    for (int image = 0; image < IMAGES; image++) {
        float sum = 0.0f;
        for (int class = 0; class < CLASSES; class++) {
            float z = bias[class];
            for (int input = 0; input < INPUTS; input++)
                z += images[image * INPUTS + input] * weights[input * CLASSES + class];
            logits[image * CLASSES + class] = z;
            sum += expf(z);
        }
        loss += (logf(sum) - logits[image * CLASSES + labels[image]]) / IMAGES;
    }

    printf("{\"format\": \"mlp-parity-trace/2\", \"precision\": \"f32\", \"weights\": \"inputs-outputs\"");
    print_array("initial.output_layer.weight", weights, INPUTS, CLASSES);
    print_array("initial.output_layer.bias", bias, 1, CLASSES);
    print_array("batch.0.images", images, IMAGES, INPUTS);
    printf(",\n\"batch.0.labels\": [%d, %d]", labels[0], labels[1]);
    print_array("logits", logits, IMAGES, CLASSES);
    printf(",\n\"loss\": %.9g}\n", loss);
    return 0;
}
