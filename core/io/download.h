#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// A part of a document, as a Content-Range header says it.
struct ContentRange {
  std::optional<std::uint64_t> first, last;  ///< absent in "bytes */4096"
  std::optional<std::uint64_t> whole;        ///< absent in "bytes 0-99/*"
};
std::optional<ContentRange> parse_content_range(std::string_view text);

/// What an answer's head means for a download, and which of its bytes are wanted.
class Download {
 public:
  /// `from` and `most` as in `FetchOptions`. `conditional`: it was asked for only where it has changed, so that 304 is an answer.
  Download(std::uint64_t from, std::uint64_t most, const std::function<Result<void>(std::string_view)>& sink, bool conditional = false)
      : from_(from), most_(most), sink_(sink), conditional_(conditional) {}

  /// Judges the head. Afterwards there is a place to ask instead, or nothing more to come, or a body to `take`.
  Result<void> begin(int status, const Headers& headers);
  Result<void> take(std::string_view piece);
  /// The body ended: whether that was all of it.
  Result<void> end() const;

  const std::optional<std::string>& elsewhere() const { return elsewhere_; }
  bool wants_body() const { return wants_body_; }
  bool unchanged() const { return unchanged_; }
  /// What the server calls the document; empty: nothing, or something over 256 bytes.
  const std::string& etag() const { return etag_; }

 private:
  Result<void> begin_part(const Headers& headers);
  Result<void> begin_whole(const Headers& headers);
  Result<void> judge_range_refused(const Headers& headers) const;

  std::uint64_t from_, most_;
  const std::function<Result<void>(std::string_view)>& sink_;
  std::uint64_t to_skip_ = 0;
  std::uint64_t got_ = 0;                  ///< without what was skipped
  std::optional<std::uint64_t> expected_;  ///< of a part
  bool is_last_part_ = true;
  bool wants_body_ = false;
  bool conditional_ = false;
  bool unchanged_ = false;
  std::string etag_;
  std::optional<std::string> elsewhere_;
};

}  // namespace berth::io
