#include "daemon/ship/sinks/gzip.h"

#include <limits>

#include <zlib.h>

namespace berth::ship {
namespace {

constexpr int kGzipLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // of zlib: 32 KiB, and gzip's header
constexpr int kGzipMemory = 8;

}  // namespace

Result<std::string> gzip(std::string_view content) {
  if (content.size() > std::numeric_limits<uInt>::max() / 2) return fail(Errc::internal, "too much to compress at once");
  z_stream stream{};
  if (::deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) != Z_OK) return fail(Errc::internal, "no memory to compress with");
  std::string out(::deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (ended != Z_STREAM_END) return fail(Errc::internal, "what is compressed did not fit");
  return out;
}

}  // namespace berth::ship
