#include "core/logs/segment_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cerrno>

namespace berth::logs {
namespace {

constexpr std::size_t kBlock = 64u << 10;

Result<std::size_t> read_at(int fd, char* into, std::size_t most, std::uint64_t offset, const std::string& name) {
  for (;;) {
    const ssize_t got = ::pread(fd, into, most, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return fail_errno("read " + name);
  }
}

}  // namespace

struct SegmentReader::Decoder {
  ZSTD_DStream* stream = ZSTD_createDStream();
  std::string input;
  std::size_t input_at = 0;
  bool more_output = false;  ///< the decoder holds bytes that did not fit

  Decoder() { ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 23); }
  ~Decoder() { ZSTD_freeDStream(stream); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

SegmentReader::SegmentReader() = default;
SegmentReader::~SegmentReader() = default;
SegmentReader::SegmentReader(SegmentReader&&) noexcept = default;
SegmentReader& SegmentReader::operator=(SegmentReader&&) noexcept = default;

Result<SegmentReader> SegmentReader::open(const Segment& segment, std::uint64_t offset) {
  SegmentReader reader;
  fs::path path = segment.path;
  bool compressed = segment.compressed;
  reader.file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!reader.file_ && errno == ENOENT && !compressed) {
    path += ".zst";
    compressed = true;
    offset = 0;
    reader.file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  }
  if (!reader.file_) return fail_errno("log segment " + path.string());
  reader.name_ = path.string();
  if (compressed) {
    reader.decoder_ = std::make_unique<Decoder>();
  } else if (offset > 0) {
    reader.offset_ = offset - 1;  // the byte before tells whether a line begins here
    reader.skipping_ = true;
  }
  return reader;
}

std::uint64_t SegmentReader::size() const {
  struct stat status {};
  return ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Result<std::optional<std::string_view>> SegmentReader::next_line() {
  for (;;) {
    const auto newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(begin_, newline - begin_);
      begin_ = scanned_ = newline + 1;
      if (skipping_) {
        skipping_ = false;
        continue;
      }
      ++lines_;
      return line;
    }
    scanned_ = buffer_.size();
    if (skipping_) {
      begin_ = scanned_;
    } else if (buffer_.size() - begin_ > kMostLine) {
      const std::string_view line = std::string_view(buffer_).substr(begin_, kMostLine);
      begin_ = scanned_;
      skipping_ = true;
      ++lines_;
      return line;
    }
    BERTH_TRY(const bool more, fill());
    if (!more) return std::optional<std::string_view>();
  }
}

Result<bool> SegmentReader::fill() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  return decoder_ ? fill_compressed() : fill_plain();
}

Result<bool> SegmentReader::fill_plain() {
  const std::size_t had = buffer_.size();
  buffer_.resize(had + kBlock);
  const auto got = read_at(file_.get(), buffer_.data() + had, kBlock, offset_, name_);
  buffer_.resize(had + (got ? *got : 0));
  if (!got) return pass(got.error());
  offset_ += *got;
  return *got > 0;
}

Result<bool> SegmentReader::fill_compressed() {
  const std::size_t had = buffer_.size();
  for (;;) {
    if (decoder_->input_at == decoder_->input.size() && !decoder_->more_output) {
      decoder_->input.resize(kBlock);
      const auto got = read_at(file_.get(), decoder_->input.data(), kBlock, offset_, name_);
      decoder_->input.resize(got ? *got : 0);
      decoder_->input_at = 0;
      if (!got) return pass(got.error());
      if (*got == 0) return false;
      offset_ += *got;
    }
    buffer_.resize(had + kBlock);
    ZSTD_inBuffer in{decoder_->input.data(), decoder_->input.size(), decoder_->input_at};
    ZSTD_outBuffer out{buffer_.data() + had, kBlock, 0};
    const std::size_t status = ZSTD_decompressStream(decoder_->stream, &out, &in);
    buffer_.resize(had + out.pos);
    decoder_->input_at = in.pos;
    decoder_->more_output = out.pos == kBlock;
    if (ZSTD_isError(status) != 0)
      return fail(Errc::protocol, "log segment " + name_ + " is damaged: " + ZSTD_getErrorName(status));
    if (out.pos > 0) return true;
  }
}

}  // namespace berth::logs
