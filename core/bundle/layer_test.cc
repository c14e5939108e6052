#include "core/bundle/layer.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "core/bundle/bundle_fixture.h"
#include "core/crypto/sha256.h"
#include "core/test_noise.h"

namespace berth::bundle {
namespace {

using testing::HasSubstr;

class WriteLayer : public FolderTest {
 protected:
  WrittenLayer write(int level = 3) { return must(write_layer(root, entries(), blob, level)); }
  std::string bytes() const { return must(files::read(blob, 200u << 20)); }
  void expect_chunks(const WrittenLayer& layer) const {
    const std::string whole = bytes();
    for (std::size_t i = 0; i < layer.index.chunks.size(); ++i)
      EXPECT_EQ(layer.index.chunks[i], crypto::sha256_hex(std::string_view(whole).substr(i * kChunk, kChunk))) << i;
  }
  static std::string unpacked(std::string_view frame, std::uint64_t size) {
    std::string out(size, '\0');
    EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size()), size);
    return out;
  }

  const fs::path blob = temporary.path() / "layer.tar.zst";
};

/// Pins the format: another hash here means that builds made before have another name now.
TEST_F(WriteLayer, MakesTheSameTarForever) {
  put_all_kinds();
  const WrittenLayer layer = write();
  EXPECT_EQ(layer.ref.tar_sha256, crypto::sha256_hex(tar()));
  EXPECT_EQ(layer.ref.tar_sha256, "66fe138a3405270e5b8eb2e305976b68016a9c0a39180fbf7f3adca02ed43756");
}

TEST_F(WriteLayer, MakesTheSameBytesOfTheSameTree) {
  put("a/file", std::string(100'000, 'x'));
  put("b", "y");
  const WrittenLayer first = write();
  const std::string before = bytes();
  fs::remove_all(root);
  fs::create_directory(root);
  put("b", "y", 0600);
  put("a/file", std::string(100'000, 'x'), 0664);
  fs::last_write_time(root / "b", fs::file_time_type::clock::now() - std::chrono::hours(48));
  const WrittenLayer second = write();
  EXPECT_EQ(second.ref, first.ref);
  EXPECT_EQ(second.index, first.index);
  EXPECT_EQ(bytes(), before);
}

TEST_F(WriteLayer, SaysWhatItWroteInAnIndexThatParses) {
  put_all_kinds();
  put("noise", noise(3u << 20, 1));
  const WrittenLayer layer = write();
  EXPECT_EQ(layer.index.entries, entries());
  EXPECT_EQ(layer.ref.blob.size, fs::file_size(blob));
  EXPECT_EQ(layer.ref.blob.sha256, crypto::sha256_hex(bytes()));
  ASSERT_EQ(layer.index.chunks.size(), 4u);
  expect_chunks(layer);

  const std::string text = to_canonical_json(layer.index);
  EXPECT_EQ(layer.ref.index, (BlobRef{.sha256 = crypto::sha256_hex(text), .size = text.size()}));
  const auto parsed = parse_index(text, layer.ref);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, layer.index);
}

TEST_F(WriteLayer, CutsFramesThatStandAlone) {
  const std::string big = noise(2'500'000, 2) + std::string(22u << 20, 'a');  // so that a chunk lies over two frames
  put("a", big);
  put("z", std::string(20u << 20, 'z'));
  const WrittenLayer layer = write(1);
  const std::string whole = bytes();
  ASSERT_EQ(layer.index.frames.size(), 3u);
  expect_chunks(layer);
  std::string tar_again;
  for (const Frame& frame : layer.index.frames) {
    const std::string_view part = std::string_view(whole).substr(frame.offset, frame.size);
    EXPECT_EQ(ZSTD_findFrameCompressedSize(part.data(), part.size()), frame.size);
    EXPECT_EQ(ZSTD_getFrameContentSize(part.data(), part.size()), frame.tar_size);
    EXPECT_EQ(static_cast<unsigned char>(part[4]) & 0x04, 0x04) << "each frame has a checksum (RFC 8878, 3.1.1.1.1)";
    tar_again += unpacked(part, frame.tar_size);
  }
  EXPECT_EQ(crypto::sha256_hex(tar_again), layer.ref.tar_sha256);
  EXPECT_TRUE(parse_index(to_canonical_json(layer.index), layer.ref));
  EXPECT_EQ(must(read_tar(tar_again))[0].second, big);
}

/// The most that a decoder has to keep, at the level that keeps the most.
TEST_F(WriteLayer, NeedsAWindowOfAtMostEightMebibytes) {
  put("a", noise(100'000, 3) + std::string(17u << 20, 'a'));
  const WrittenLayer layer = write(19);
  const std::string whole = bytes();
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> decoder(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ASSERT_FALSE(ZSTD_isError(ZSTD_DCtx_setParameter(decoder.get(), ZSTD_d_windowLogMax, 23)));
  std::string piece(1u << 20, '\0');
  ZSTD_inBuffer in{whole.data(), whole.size(), 0};
  std::uint64_t out_size = 0;
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    const std::size_t result = ZSTD_decompressStream(decoder.get(), &out, &in);
    ASSERT_FALSE(ZSTD_isError(result)) << ZSTD_getErrorName(result);
    out_size += out.pos;
  }
  EXPECT_EQ(out_size, layer.ref.tar_size);
}

TEST_F(WriteLayer, IsReadByStockTar) {
  put_all_kinds();
  put("noise", noise(2u << 20, 4) + std::string(16u << 20, 'a'));
  write();
  const fs::path out = temporary.path() / "out";
  fs::create_directory(out);
  const std::string command = "tar --zstd -xpf " + blob.string() + " -C " + out.string() + " 2>" + (temporary.path() / "said").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(must(files::read(temporary.path() / "said", 1000)), "");  // no warning either
  const auto same = check_same(must(list_tree(out, {.strict = true})).entries, entries());
  EXPECT_TRUE(same) << same.error().message;
}

TEST_F(WriteLayer, OfAnEmptyFolderIsAnEmptyTar) {
  const WrittenLayer layer = write();
  EXPECT_EQ(layer.ref.tar_size, 1024u);
  EXPECT_EQ(unpacked(bytes(), 1024), std::string(1024, '\0'));
  EXPECT_TRUE(parse_index(to_canonical_json(layer.index), layer.ref));
}

TEST_F(WriteLayer, HashesFilesWhileItPacksThemWhereTheyWereNotBefore) {
  put_all_kinds();
  put("noise", noise(40u << 20, 5));  // more frames than are under way at a time
  const auto listed = must(list_tree(root, {.leave_out = {}, .hashes = false})).entries;
  for (const Entry& entry : listed) EXPECT_EQ(entry.sha256, "");
  const WrittenLayer layer = must(write_layer_and_hash(root, listed, blob, 1));
  const std::string packed = bytes();
  const WrittenLayer same = write(1);
  EXPECT_EQ(layer.ref, same.ref);
  EXPECT_EQ(layer.index, same.index);
  EXPECT_EQ(packed, bytes());
  EXPECT_EQ(layer.index.entries, entries());

  put("empty", "now it is not");
  const auto changed = write_layer_and_hash(root, listed, blob, 1);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Errc::conflict);
  EXPECT_FALSE(fs::exists(blob));
}

TEST_F(WriteLayer, RefusesAFileThatChangedAndLeavesNothing) {
  put("a", "one");
  const auto before = entries();
  for (const char* now : {"two", "longer", ""}) {
    put("a", now);
    const auto layer = write_layer(root, before, blob, 3);
    ASSERT_FALSE(layer) << now;
    EXPECT_EQ(layer.error().code, Errc::conflict);
    EXPECT_THAT(layer.error().message, HasSubstr("a: it changed while it was packed"));
    EXPECT_FALSE(fs::exists(blob));
  }
  fs::remove(root / "a");
  EXPECT_EQ(write_layer(root, before, blob, 3).error().code, Errc::not_found);
  link("a", "b");
  EXPECT_FALSE(write_layer(root, before, blob, 3));
  EXPECT_FALSE(fs::exists(blob));
}

TEST_F(WriteLayer, RefusesEntriesThatBreakARule) {
  const auto layer = write_layer(
      root, {{.path = "b", .type = EntryType::directory, .mode = 0755}, {.path = "a", .type = EntryType::directory, .mode = 0755}}, blob,
      3);
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code, Errc::usage);
  EXPECT_THAT(layer.error().message, HasSubstr("'a' comes after 'b', out of order"));
}

}  // namespace
}  // namespace berth::bundle
