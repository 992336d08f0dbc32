// libpng for Swift: one call, since its format codes are macros that Swift does not see.
#pragma once
#include <png.h>
#include <stddef.h>
#include <string.h>

// Encodes an image of palette indices. With `bytes` NULL only tells the size in `*count`.
// Returns 1 when all is well.
static inline int continuo_png_encode(
    const unsigned char *indices, unsigned width, unsigned height, const unsigned char *palette_rgb,
    unsigned colours, unsigned char *bytes, size_t *count) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.colormap_entries = colours;
  png_alloc_size_t size = *count;
  const int done = png_image_write_to_memory(&image, bytes, &size, 0, indices, 0, palette_rgb);
  *count = size;
  return done;
}
