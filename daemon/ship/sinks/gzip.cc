#include "daemon/ship/sinks/gzip.h"

#include <array>
#include <utility>

#include <zlib.h>

namespace berth::ship {
namespace {

constexpr int kGzipLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // of zlib: 32 KiB, and gzip's header
constexpr int kGzipMemory = 8;
constexpr std::size_t kMostAtOnce = 1u << 30;  ///< bytes: zlib counts in 32 bits

}  // namespace

struct Gzip::State {
  z_stream stream{};
  bool is_sound = false;  ///< so far there was memory
  bool has_ended = false;
  std::string out;
  std::array<Bytef, 16u << 10> some;

  void work(int flush) {
    do {
      stream.next_out = some.data();
      stream.avail_out = some.size();
      const int done = ::deflate(&stream, flush);
      is_sound = is_sound && (done == Z_OK || done == Z_STREAM_END || done == Z_BUF_ERROR);
      has_ended = done == Z_STREAM_END;
      out.append(reinterpret_cast<const char*>(some.data()), some.size() - stream.avail_out);
    } while (is_sound && stream.avail_out == 0);
  }
};

Gzip::Gzip() : state_(std::make_unique<State>()) {
  state_->is_sound = ::deflateInit2(&state_->stream, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) == Z_OK;
}

Gzip::~Gzip() { ::deflateEnd(&state_->stream); }

void Gzip::add(std::string_view piece) {
  while (state_->is_sound && !piece.empty()) {
    const std::string_view now = piece.substr(0, kMostAtOnce);
    piece.remove_prefix(now.size());
    state_->stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(now.data()));
    state_->stream.avail_in = static_cast<uInt>(now.size());
    state_->work(Z_NO_FLUSH);
  }
}

Result<std::string> Gzip::finish() {
  if (state_->is_sound) state_->work(Z_FINISH);
  if (!state_->is_sound || !state_->has_ended) return fail(Errc::internal, "no memory to compress with");
  return std::move(state_->out);
}

void PushBody::spill() {
  gzip_->add(text_);
  text_.clear();
}

Result<std::string> PushBody::finish() {
  if (!gzip_) return std::move(text_);
  spill();
  return gzip_->finish();
}

}  // namespace berth::ship
