#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::publish {

/// A layer whose tar lies in memory: in a file without a name that is mapped, so that the kernel may take its pages when it needs them.
class UnpackedLayer {
 public:
  /// Of blob and index, which must be what `ref` says. `Errc::trust` where they are not.
  static Result<UnpackedLayer> open(const bundle::LayerRef& ref, const std::filesystem::path& blob, const std::filesystem::path& index);
  UnpackedLayer(UnpackedLayer&& other) noexcept;
  UnpackedLayer& operator=(UnpackedLayer&&) = delete;
  ~UnpackedLayer();

  std::string_view tar() const { return {tar_, size_}; }
  const std::string& index() const { return index_; }  ///< as it is signed for
  const std::vector<bundle::Entry>& entries() const { return entries_; }

  /// Where the entry at `place` of `entries()` lies in the tar, and its content, which comes after its headers.
  struct Slice {
    std::uint64_t begin = 0, content = 0, end = 0;
  };
  const Slice& slice(std::size_t place) const { return slices_[place]; }
  std::string_view bytes(std::uint64_t begin, std::uint64_t end) const { return tar().substr(begin, end - begin); }

 private:
  UnpackedLayer() = default;
  Result<void> unpack(const bundle::LayerRef& ref, const std::vector<bundle::Frame>& frames, const std::filesystem::path& blob);

  char* tar_ = nullptr;
  std::size_t size_ = 0;
  std::string index_;
  std::vector<bundle::Entry> entries_;
  std::vector<Slice> slices_;
};

}  // namespace berth::publish
