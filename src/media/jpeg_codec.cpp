#include <ATen/ops/empty.h>
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include "core/shape.h"
#include "media/jpeg_file.h"

namespace keyflow::media {
namespace {

constexpr int kQuality = 95;
constexpr size_t kCommentBytes = 65533;

/// Error handler of libjpeg, which reports by longjmp: the functions that call setjmp hold no object with a
/// destructor.
struct Handler {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  auto* handler = reinterpret_cast<Handler*>(jpeg->err);
  jpeg->err->format_message(jpeg, handler->message);
  std::longjmp(handler->jump, 1);
}

/// Warnings by which libjpeg admits that it invented pixels become errors; the others are harmless.
void on_message(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  const bool invented = code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_JPEG_EOF ||
                        code == JWRN_MUST_RESYNC || code == JWRN_BOGUS_PROGRESSION;
  if (level < 0 && invented) on_error(jpeg);
}

void on_output(j_common_ptr) {}

void install(Handler& handler) {
  jpeg_std_error(&handler.base);
  handler.base.error_exit = on_error;
  handler.base.emit_message = on_message;
  handler.base.output_message = on_output;
}

/// Decodes into [H, W, 3] (grey and YCbCr become RGB) or, when four is returned, [H, W, 4] CMYK; 0 with a message.
int read_rows(Handler& handler, std::string_view bytes, uint8_t* pixels) {
  jpeg_decompress_struct jpeg;
  install(handler);
  jpeg.err = &handler.base;
  if (setjmp(handler.jump)) {
    jpeg_destroy_decompress(&jpeg);
    return 0;
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg, TRUE);
  const bool four = jpeg.num_components == 4;
  jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  const int channels = jpeg.output_components;
  const size_t stride = size_t{jpeg.output_width} * static_cast<size_t>(channels);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels + jpeg.output_scanline * stride;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return channels;
}

struct Memory {
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT: the type of libjpeg's interface
  ~Memory() { std::free(data); }
};

bool write_rows(Handler& handler, const uint8_t* pixels, int64_t height, int64_t width, std::string_view comment,
                Memory& out) {
  jpeg_compress_struct jpeg;
  install(handler);
  jpeg.err = &handler.base;
  if (setjmp(handler.jump)) {
    jpeg_destroy_compress(&jpeg);
    return false;
  }
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &out.data, &out.size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, kQuality, TRUE);
  jpeg.optimize_coding = TRUE;
  for (int c = 0; c < 3; ++c) jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
  jpeg_start_compress(&jpeg, TRUE);
  for (; !comment.empty(); comment.remove_prefix(std::min(comment.size(), kCommentBytes))) {
    jpeg_write_marker(&jpeg, JPEG_COM, reinterpret_cast<const JOCTET*>(comment.data()),
                      static_cast<unsigned>(std::min(comment.size(), kCommentBytes)));
  }
  while (jpeg.next_scanline < jpeg.image_height) {
    // libjpeg's rows are not const, though it only reads them.
    auto* row = const_cast<JSAMPROW>(pixels + int64_t{jpeg.next_scanline} * width * 3);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return true;
}

/// a * b / 255, rounded.
int scaled(int a, int b) { return (a * b + 127) / 255; }

at::Tensor cmyk_to_rgb(const at::Tensor& inverted) {
  const int64_t H = inverted.size(0), W = inverted.size(1);
  at::Tensor rgb = at::empty({H, W, 3}, at::kByte);  // [H, W, 3]
  const uint8_t* source = inverted.const_data_ptr<uint8_t>();
  uint8_t* target = rgb.data_ptr<uint8_t>();
  for (int64_t i = 0; i < H * W; ++i) {
    const int white = source[4 * i + 3];
    for (int64_t c = 0; c < 3; ++c) {
      target[3 * i + c] = static_cast<uint8_t>(white - scaled(255 - source[4 * i + c], white));
    }
  }
  return rgb;
}

}  // namespace

at::Tensor decode_jpeg(std::string_view bytes, const PictureHeader& header, const std::string& where) {
  at::Tensor pixels = at::empty({header.height * header.width * 4}, at::kByte);
  Handler handler;
  const int64_t channels = read_rows(handler, bytes, pixels.data_ptr<uint8_t>());
  require(channels > 0, ErrorKind::io, where, ": the JPEG data is damaged: ", printable(handler.message));
  pixels = pixels.narrow(0, 0, header.height * header.width * channels);
  pixels = pixels.view({header.height, header.width, channels});  // [H, W, 3 or 4]
  return channels == 4 ? cmyk_to_rgb(pixels) : pixels;
}

std::string encode_jpeg(const at::Tensor& rgb, const std::string& settings_json) {
  require_shape(rgb, {3, -1, -1}, "rgb");
  const at::Tensor pixels = rgb.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  Handler handler;
  Memory out;
  require(write_rows(handler, pixels.const_data_ptr<uint8_t>(), rgb.size(1), rgb.size(2), settings_json, out),
          ErrorKind::internal, "JPEG encoder: ", printable(handler.message));
  return std::string(reinterpret_cast<const char*>(out.data), out.size);
}

}  // namespace keyflow::media
