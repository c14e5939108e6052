#include "core/bundle/frame_reader.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

#include <unistd.h>
#include <zstd.h>

namespace berth::bundle {
namespace {

constexpr int kWindowLog = 23;  ///< 8 MiB

class Decoder {
 public:
  Decoder(int fd, const std::function<Result<bool>(std::string_view)>& sink) : fd_(fd), sink_(sink) {}

  Result<void> prepare() {
    if (!context_) return fail(Errc::io, "no memory to decode with");
    const std::size_t set = ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLog);
    if (ZSTD_isError(set)) return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(set));
    return {};
  }

  Result<void> decode(const Frame& frame) {
    ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
    made_ = 0;
    ended_ = false;
    for (std::uint64_t at = 0; at < frame.size;) {
      BERTH_TRY(const std::size_t got, read_piece(frame, at));
      at += got;
      BERTH_CHECK(decode_piece(frame, got));
      if (enough_) return {};
    }
    if (!ended_) return refuse(frame, "is cut off");
    if (made_ != frame.tar_size)
      return refuse(frame, "has " + std::to_string(made_) + " bytes in it, not the " + std::to_string(frame.tar_size) + " of the index");
    return {};
  }

  bool has_enough() const { return enough_; }

 private:
  Result<std::size_t> read_piece(const Frame& frame, std::uint64_t at) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(in_.size(), frame.size - at));
    while (true) {
      const ssize_t got = ::pread(fd_, in_.data(), want, static_cast<off_t>(frame.offset + at));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read the layer");
      if (got == 0) return refuse(frame, "reaches behind the end of the layer");
      return static_cast<std::size_t>(got);
    }
  }

  Result<void> decode_piece(const Frame& frame, std::size_t size) {
    ZSTD_inBuffer in{in_.data(), size, 0};
    bool full = false;  // more may wait inside, although the input was taken
    while (in.pos < in.size || full) {
      if (ended_) return refuse(frame, "ends before its bytes do");
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(left)) return refuse(frame, std::string("cannot be decoded: ") + ZSTD_getErrorName(left));
      made_ += out.pos;
      if (made_ > frame.tar_size) return refuse(frame, "has more in it than the " + std::to_string(frame.tar_size) + " bytes of the index");
      BERTH_TRY(const bool goes_on, sink_({out_.data(), out.pos}));
      enough_ = !goes_on;
      if (enough_) return {};
      ended_ = left == 0;
      full = !ended_ && out.pos == out.size;
    }
    return {};
  }

  static std::unexpected<Error> refuse(const Frame& frame, const std::string& why) {
    return fail(Errc::trust, "the zstd frame at byte " + std::to_string(frame.offset) + ' ' + why);
  }

  int fd_;
  const std::function<Result<bool>(std::string_view)>& sink_;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::string in_ = std::string(ZSTD_DStreamInSize(), '\0');
  std::string out_ = std::string(ZSTD_DStreamOutSize(), '\0');
  std::uint64_t made_ = 0;
  bool ended_ = false;
  bool enough_ = false;
};

}  // namespace

Result<void> decode_frames(int fd, const std::vector<Frame>& frames, const std::function<Result<bool>(std::string_view)>& sink) {
  Decoder decoder(fd, sink);
  BERTH_CHECK(decoder.prepare());
  for (const Frame& frame : frames) {
    BERTH_CHECK(decoder.decode(frame));
    if (decoder.has_enough()) break;
  }
  return {};
}

}  // namespace berth::bundle
