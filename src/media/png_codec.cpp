#include <ATen/ops/empty.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "core/shape.h"
#include "media/png_file.h"

namespace keyflow::media {
namespace {

/// What libpng reads from, writes to and says. libpng reports errors by longjmp: the functions that call setjmp hold
/// no object with a destructor.
struct Exchange {
  std::string_view input;
  std::string output;
  char message[160] = "";
};

void on_error(png_structp png, png_const_charp text) {
  auto* exchange = static_cast<Exchange*>(png_get_error_ptr(png));
  std::strncpy(exchange->message, text, sizeof exchange->message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, size_t count) {
  auto* exchange = static_cast<Exchange*>(png_get_io_ptr(png));
  if (exchange->input.size() < count) png_error(png, "the data ends early");
  std::memcpy(out, exchange->input.data(), count);
  exchange->input.remove_prefix(count);
}

void on_write(png_structp png, png_bytep data, size_t count) {
  static_cast<Exchange*>(png_get_io_ptr(png))->output.append(reinterpret_cast<const char*>(data), count);
}

void on_flush(png_structp) {}

/// Decodes into `pixels`, which has room for height rows of width RGBA pixels; false with a message.
bool read_rows(Exchange& exchange, uint8_t* pixels, png_bytep* rows, int* channels) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &exchange, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  png_set_read_fn(png, &exchange, on_read);
  png_set_user_limits(png, 65535, 65535);
  png_read_info(png, info);
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  *channels = png_get_channels(png, info);
  const png_uint_32 height = png_get_image_height(png, info);
  const size_t stride = png_get_rowbytes(png, info);
  for (png_uint_32 y = 0; y < height; ++y) rows[y] = pixels + y * stride;
  png_read_image(png, rows);
  png_read_end(png, info);
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

bool write_rows(Exchange& exchange, const uint8_t* pixels, int64_t height, int64_t width) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &exchange, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, &exchange, on_write, on_flush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int64_t y = 0; y < height; ++y) png_write_row(png, pixels + y * width * 3);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return true;
}

bool carries_the_picture(std::string_view type) {
  return type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND";
}

}  // namespace

at::Tensor decode_png(std::string_view bytes, const PictureHeader& header, const std::string& where) {
  std::string file(png_signature());
  for (const PngChunk& chunk : png_chunks(bytes, where)) {
    if (carries_the_picture(chunk.type)) file += bytes.substr(chunk.offset, chunk.data.size() + 12);
  }
  const int64_t height = header.height, width = header.width;
  at::Tensor pixels = at::empty({height * width * 4}, at::kByte);
  std::vector<png_bytep> rows(static_cast<size_t>(height));
  Exchange exchange{.input = file, .output = {}};
  int channels = 0;
  require(read_rows(exchange, pixels.data_ptr<uint8_t>(), rows.data(), &channels), ErrorKind::io, where,
          ": the PNG data is damaged: ", printable(exchange.message));
  return pixels.narrow(0, 0, height * width * channels).view({height, width, channels});  // [H, W, 3 or 4]
}

std::string encode_png(const at::Tensor& rgb, const std::string& settings_json) {
  require_shape(rgb, {3, -1, -1}, "rgb");
  const at::Tensor pixels = rgb.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  Exchange exchange;
  require(write_rows(exchange, pixels.const_data_ptr<uint8_t>(), rgb.size(1), rgb.size(2)), ErrorKind::internal,
          "PNG encoder: ", printable(exchange.message));
  const size_t after_header = png_signature().size() + 12 + 13;
  return exchange.output.insert(after_header, make_png_settings(settings_json));
}

}  // namespace keyflow::media
