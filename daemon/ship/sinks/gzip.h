#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::ship {

/// Makes a gzip file of pieces, compressed fast rather than small: none of them is kept.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void add(std::string_view piece);
  /// All of it. Fails where there is no memory. Nothing further is added.
  Result<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A body that is made piece by piece, and is never there whole where it is compressed.
class PushBody {
 public:
  explicit PushBody(bool compress) : gzip_(compress ? std::make_unique<Gzip>() : nullptr) {}

  /// Where the next of it is appended.
  std::string& text() { return text_; }
  /// A good place to let go of what was.
  void pause() {
    if (gzip_ && text_.size() >= kPiece) spill();
  }
  /// All of it. Fails as Gzip does.
  Result<std::string> finish();

 private:
  static constexpr std::size_t kPiece = 32u << 10;
  void spill();

  std::unique_ptr<Gzip> gzip_;
  std::string text_;
};

}  // namespace berth::ship
