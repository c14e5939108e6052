#include "core/logs/segment_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>

namespace berth::logs {
namespace {

constexpr std::size_t kMostFrame = 1u << 20;     ///< bytes of text of a frame that is decoded at once; those of `compress_segment` have no more
constexpr std::size_t kLongestHeader = 18;       ///< of a frame (RFC 8878, 3.1.1)
constexpr std::size_t kMarked = 256;  ///< bytes of a line that tell it from others

Result<std::size_t> read_at(int fd, char* into, std::size_t most, std::uint64_t offset, const std::string& name) {
  for (;;) {
    const ssize_t got = ::pread(fd, into, most, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return fail_errno("read " + name);
  }
}

/// The newlines in the first `size` bytes.
Result<std::uint64_t> count_lines(int fd, std::uint64_t size, const std::string& name) {
  std::string block;
  std::uint64_t count = 0;
  for (std::uint64_t at = 0; at < size;) {
    Result<std::size_t> got = 0;
    block.resize_and_overwrite(static_cast<std::size_t>(std::min<std::uint64_t>(SegmentReader::kBlock, size - at)), [&](char* bytes, std::size_t room) {
      got = read_at(fd, bytes, room, at, name);
      return got.value_or(0);
    });
    if (!got) return pass(got.error());
    if (*got == 0) break;
    count += count_newlines(block);
    at += *got;
  }
  return count;
}

}  // namespace

struct SegmentReader::Decoder {
  ZSTD_DStream* stream = ZSTD_createDStream();
  std::string input;
  std::size_t input_at = 0;
  bool is_in_frame = false;  ///< of which a part was decoded
  bool more_output = false;  ///< the decoder holds bytes that did not fit

  std::string_view rest() const { return std::string_view(input).substr(input_at); }

  Decoder() { ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 23); }
  ~Decoder() { ZSTD_freeDStream(stream); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

SegmentReader::SegmentReader() = default;
SegmentReader::~SegmentReader() = default;
SegmentReader::SegmentReader(SegmentReader&&) noexcept = default;
SegmentReader& SegmentReader::operator=(SegmentReader&&) noexcept = default;

Result<SegmentReader> SegmentReader::open(const Segment& segment, std::uint64_t offset, std::optional<std::uint64_t> lines_before, std::size_t block) {
  SegmentReader reader;
  reader.block_ = block;
  fs::path path = segment.path;
  bool compressed = segment.compressed;
  reader.file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!reader.file_ && errno == ENOENT && !compressed) {
    path += ".zst";
    compressed = true;
    reader.file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  }
  if (!reader.file_) return fail_errno("log segment " + path.string());
  reader.name_ = path.string();
  if (compressed) reader.decoder_ = std::make_unique<Decoder>();
  reader.next_offset_ = offset;
  if (offset == 0) return reader;
  reader.buffer_offset_ = offset - 1;  // the byte before tells whether a line begins here
  reader.skipping_ = true;
  if (compressed) reader.unwanted_ = offset - 1;
  else reader.offset_ = offset - 1;
  if (lines_before) {
    reader.lines_ = *lines_before;
  } else if (compressed) {
    reader.counts_ = true;
    reader.lines_ = 1;  // the one that is passed over
  } else {
    BERTH_TRY(const std::uint64_t before, count_lines(reader.file_.get(), offset - 1, reader.name_));
    reader.lines_ = before + 1;
  }
  return reader;
}

std::uint64_t SegmentReader::size() const {
  struct stat status {};
  return ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool SegmentReader::is_removed() const {
  struct stat status {};
  return ::fstat(file_.get(), &status) == 0 && status.st_nlink == 0;
}

Result<std::optional<std::string_view>> SegmentReader::next_line() {
  for (;;) {
    const auto newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(begin_, newline - begin_);
      line_offset_ = buffer_offset_ + begin_;
      begin_ = scanned_ = newline + 1;
      next_offset_ = buffer_offset_ + begin_;
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
      line_offset_ = buffer_offset_ + begin_;
      begin_ = scanned_;
      next_offset_ = buffer_offset_ + begin_;
      skipping_ = true;
      ++lines_;
      return line;
    }
    BERTH_TRY(const bool more, fill());
    if (!more) return std::optional<std::string_view>();
  }
}

/// Searches the lines that are whole in the buffer; false where there is none that was not.
bool SegmentReader::search_buffer(const LineSearch& search) {
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  const auto last = rest.rfind('\n');
  if (last == std::string_view::npos) return false;
  found_.clear();
  next_found_ = 0;
  const std::uint64_t count = search.search(rest.substr(0, last + 1), found_);
  for (SearchedLine& line : found_) {
    line.offset += begin_;
    line.before += lines_;
  }
  searched_ = begin_ + last + 1;
  searched_lines_ = lines_ + count;
  return true;
}

Result<std::optional<std::string_view>> SegmentReader::next_line(const LineSearch& search) {
  for (;;) {
    if (skipping_) return next_line();
    while (next_found_ < found_.size() && found_[next_found_].offset < begin_) ++next_found_;
    if (next_found_ < found_.size()) {
      begin_ = scanned_ = found_[next_found_].offset;
      lines_ = found_[next_found_].before;
      return next_line();
    }
    if (searched_ > begin_) {
      begin_ = scanned_ = searched_;
      lines_ = searched_lines_;
    }
    if (search_buffer(search)) continue;
    if (buffer_.size() - begin_ > kMostLine) return next_line();
    scanned_ = buffer_.size();
    BERTH_TRY(const bool more, fill());
    if (!more) return std::optional<std::string_view>();
  }
}

Result<bool> SegmentReader::fill() {
  if (begin_ > 0) {
    found_.clear();
    next_found_ = searched_ = 0;
    buffer_.erase(0, begin_);
    buffer_offset_ += begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  return decoder_ ? fill_compressed() : fill_plain();
}

Result<bool> SegmentReader::fill_plain() {
  const std::size_t had = buffer_.size();
  Result<std::size_t> got = 0;
  buffer_.resize_and_overwrite(had + block_, [&](char* bytes, std::size_t) {
    got = read_at(file_.get(), bytes + had, block_, offset_, name_);
    return had + got.value_or(0);
  });
  if (!got) return pass(got.error());
  offset_ += *got;
  if (*got == 0 && had > begin_ && size() < offset_) {
    // The keeper took back the part of a line that a full disk took.
    buffer_.resize(begin_);
    scanned_ = begin_;
    offset_ = buffer_offset_ + begin_;
  }
  return *got > 0;
}

Result<bool> SegmentReader::fill_compressed() {
  for (;;) {
    const std::size_t had = buffer_.size();
    bool is_taken = false;
    if (!decoder_->is_in_frame) {
      BERTH_TRY(is_taken, take_frame());
    }
    if (!is_taken) {
      BERTH_TRY(is_taken, take_some());
    }
    if (!is_taken) return false;
    const std::size_t got = buffer_.size() - had;
    const std::size_t left_out = std::min<std::uint64_t>(unwanted_, got);
    unwanted_ -= left_out;
    if (counts_) lines_ += static_cast<std::uint64_t>(std::ranges::count(std::string_view(buffer_).substr(had, left_out), '\n'));
    buffer_.erase(had, left_out);
    if (got > left_out) return true;
  }
}

/// False at the end of the file.
Result<bool> SegmentReader::read_input() {
  decoder_->input.erase(0, decoder_->input_at);
  decoder_->input_at = 0;
  const std::size_t had = decoder_->input.size();
  Result<std::size_t> got = 0;
  decoder_->input.resize_and_overwrite(had + block_, [&](char* bytes, std::size_t) {
    got = read_at(file_.get(), bytes + had, block_, offset_, name_);
    return had + got.value_or(0);
  });
  if (!got) return pass(got.error());
  offset_ += *got;
  return *got > 0;
}

/// Has the frame that comes next whole in the input, and says how long it is. 0: it is too large for that, damaged, or not whole.
Result<std::size_t> SegmentReader::have_frame() {
  for (;;) {
    const std::string_view rest = decoder_->rest();
    const std::size_t size = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
    const std::uint64_t text = ZSTD_getFrameContentSize(rest.data(), rest.size());  // what is not known, or no frame, is the largest number
    if (ZSTD_isError(size) == 0) return text <= kMostFrame ? size : 0;
    if (rest.size() >= kLongestHeader && (text > kMostFrame || rest.size() > ZSTD_compressBound(kMostFrame))) return 0;
    BERTH_TRY(const bool more, read_input());
    if (!more) return 0;
  }
}

/// Decodes the frame that comes next at once, for which the decoder needs no memory of its own; false where `take_some` is to do it.
Result<bool> SegmentReader::take_frame() {
  BERTH_TRY(const std::size_t size, have_frame());
  if (size == 0) return false;
  const std::size_t had = buffer_.size();
  const std::string_view frame = decoder_->rest().substr(0, size);
  const auto text = static_cast<std::size_t>(ZSTD_getFrameContentSize(frame.data(), frame.size()));
  if (!counts_ && text <= unwanted_) {
    unwanted_ -= text;
    decoder_->input_at += size;
    return true;
  }
  std::size_t got = 0;
  buffer_.resize_and_overwrite(had + text, [&](char* bytes, std::size_t) {
    got = ZSTD_decompressDCtx(decoder_->stream, bytes + had, text, frame.data(), frame.size());
    return had + (ZSTD_isError(got) == 0 ? got : 0);
  });
  if (ZSTD_isError(got) != 0) return false;  // that gives what comes before the damage
  decoder_->input_at += size;
  return true;
}

/// Decodes a part of a frame; false at the end of the file.
Result<bool> SegmentReader::take_some() {
  Decoder& decoder = *decoder_;
  if (!decoder.is_in_frame) ZSTD_DCtx_reset(decoder.stream, ZSTD_reset_session_only);
  if (decoder.rest().empty() && !decoder.more_output) {
    BERTH_TRY(const bool more, read_input());
    if (!more) return false;
  }
  const std::size_t had = buffer_.size();
  ZSTD_inBuffer in{decoder.input.data(), decoder.input.size(), decoder.input_at};
  ZSTD_outBuffer out{nullptr, kBlock, 0};
  std::size_t status = 0;
  buffer_.resize_and_overwrite(had + kBlock, [&](char* bytes, std::size_t) {
    out.dst = bytes + had;
    status = ZSTD_decompressStream(decoder.stream, &out, &in);
    return had + out.pos;
  });
  decoder.input_at = in.pos;
  decoder.is_in_frame = status != 0;
  decoder.more_output = out.pos == kBlock;
  if (ZSTD_isError(status) != 0) return fail(Errc::protocol, "log segment " + name_ + " is damaged: " + ZSTD_getErrorName(status));
  return true;
}

std::uint64_t mark_of_line(std::string_view first_line) {
  // FNV-1a: lines of one log differ in their times.
  std::uint64_t mark = 14695981039346656037u;
  for (const char byte : first_line.substr(0, kMarked)) mark = (mark ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  return mark == 0 ? 1 : mark;
}

Result<std::uint64_t> mark_of(const Segment& segment) {
  BERTH_TRY(auto reader, SegmentReader::open(segment, 0, {}, 16 * kMarked));
  BERTH_TRY(const auto line, reader.next_line());
  return line ? mark_of_line(*line) : 0;
}

}  // namespace berth::logs
