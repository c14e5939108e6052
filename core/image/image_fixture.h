#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/image/archive_items.h"
#include "core/image/assemble.h"

namespace berth::image {

namespace fs = std::filesystem;

inline Item folder(std::string path) { return {.path = std::move(path), .mode = 0755, .type = AE_IFDIR}; }
inline Item link(std::string path, std::string to) { return {.path = std::move(path), .mode = 0777, .type = AE_IFLNK, .link = std::move(to)}; }
inline Item hardlink(std::string path, std::string to) { return {.path = std::move(path), .link = std::move(to), .hard = true}; }

/// The tar of a layer.
inline std::string tar_of(const std::vector<Item>& items) {
  std::size_t room = 64u << 10;
  for (const Item& item : items) room += item.content.size() + 4096;
  std::string bytes(room, '\0');
  std::size_t used = 0;
  archive* writer = ::archive_write_new();
  ::archive_write_set_format_pax_restricted(writer);
  ::archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  write_and_free(writer, items);
  bytes.resize(used);
  return bytes;
}

inline std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

/// An OCI layout in a folder, made piece by piece.
class LayoutMaker {
 public:
  explicit LayoutMaker(fs::path folder) : folder_(std::move(folder)) {
    EXPECT_TRUE(files::make_directories(folder_ / "blobs/sha256"));
    put("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

  /// Puts a blob there, and gives its descriptor.
  std::string blob(const std::string& bytes, std::string_view type, const std::string& more = {}) {
    const std::string sha256 = crypto::sha256_hex(bytes);
    put("blobs/sha256/" + sha256, bytes);
    return fmt::format(R"({{"mediaType":"{}","digest":"sha256:{}","size":{}{}}})", type, sha256, bytes.size(), more);
  }

  /// `tars` in the order of layers, each compressed by `compress`. Gives the descriptor of the manifest.
  std::string image(const std::vector<std::string>& tars, const std::string& settings = "{}", const std::string& architecture = "amd64",
                    std::string (*compress)(const std::string&) = &gzip, const std::string& type = "application/vnd.oci.image.layer.v1.tar+gzip",
                    const std::string& more = {}) {
    std::string layers, diff_ids;
    for (const std::string& tar : tars) {
      layers += (layers.empty() ? "" : ",") + blob(compress(tar), type);
      diff_ids += fmt::format(R"({}"sha256:{}")", diff_ids.empty() ? "" : ",", crypto::sha256_hex(tar));
    }
    const std::string config = blob(fmt::format(R"({{"os":"linux","architecture":"{}","config":{},"rootfs":{{"type":"layers","diff_ids":[{}]}}}})", architecture,
                                                settings, diff_ids),
                                    "application/vnd.oci.image.config.v1+json");
    return blob(fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]}})", config, layers), "application/vnd.oci.image.manifest.v1+json", more);
  }

  void index(const std::vector<std::string>& manifests) { put("index.json", index_text(manifests)); }
  static std::string index_text(const std::vector<std::string>& manifests) {
    std::string list;
    for (const std::string& one : manifests) list += (list.empty() ? "" : ",") + one;
    return fmt::format(R"({{"schemaVersion":2,"manifests":[{}]}})", list);
  }

  void put(const std::string& name, const std::string& content) { EXPECT_TRUE(files::replace(folder_ / name, content)); }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

inline std::string plain_bytes(const std::string& bytes) { return bytes; }

/// EXPECT_THAT(…, Fails(code, "words")).
MATCHER_P2(Fails, code, words, "") {
  if (arg) return false;
  *result_listener << "says: " << arg.error().message;
  return arg.error().code == code && arg.error().message.find(words) != std::string::npos;
}

}  // namespace berth::image
