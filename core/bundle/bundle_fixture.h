#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/bundle/tar_reader.h"
#include "core/bundle/tar_writer.h"
#include "core/bundle/tree.h"
#include "core/files/files.h"

namespace berth::bundle {

namespace fs = std::filesystem;

/// The value of a result that has to be one.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(*result);
}

/// `text` with the first `from` in it replaced.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "nothing to replace: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// A folder that tests fill.
class FolderTest : public testing::Test {
 protected:
  FolderTest() : root(temporary.path() / "tree") { fs::create_directory(root); }

  void put(const std::string& path, std::string_view content, unsigned mode = 0644) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << content;
    fs::permissions(root / path, fs::perms(mode));
  }
  void link(const std::string& path, const std::string& target) {
    fs::create_directories((root / path).parent_path());
    fs::create_symlink(target, root / path);
  }
  /// Something of everything that a layer can have.
  void put_all_kinds() {
    put("bin/server", "#!/bin/sh\n", 0755);
    put("bin-extra", "sorts between bin and what is in it");
    put("empty", "");
    put("block", std::string(512, 'b'));
    put(std::string(60, 'd') + "/" + std::string(60, 'f'), "a path that ustar has no room for");
    put("ümläut", "UTF-8");
    fs::create_directory(root / "nothing in here");
    link("bin/alias", "server");
    link("lib/far", "../" + std::string(60, 'd') + "/" + std::string(60, 'f'));
  }

  std::vector<Entry> entries() const { return must(list_tree(root)).entries; }
  std::string tar() const {
    std::string out;
    const auto sink = [&out](std::string_view bytes) -> Result<void> {
      out += bytes;
      return {};
    };
    const auto written = write_tar(root, entries(), sink);
    EXPECT_TRUE(written) << written.error().message;
    return out;
  }

  files::TemporaryDirectory temporary;
  fs::path root;
};

/// Entries of a tar with their content, read in pieces of `piece` bytes.
inline Result<std::vector<std::pair<Entry, std::string>>> read_tar(std::string_view tar, std::size_t piece = SIZE_MAX) {
  std::vector<std::pair<Entry, std::string>> found;
  TarReader reader;
  for (std::size_t at = 0; at < tar.size(); at += std::min(piece, tar.size())) {
    std::string_view bytes = tar.substr(at, piece);
    for (;;) {
      BERTH_TRY(const auto step, reader.next(bytes));
      if (step == TarReader::Step::more) break;
      if (step == TarReader::Step::entry) found.emplace_back(reader.entry(), std::string());
      if (step == TarReader::Step::data) found.back().second += reader.data();
    }
  }
  BERTH_CHECK(reader.finish());
  EXPECT_EQ(reader.position(), tar.size());
  return found;
}

}  // namespace berth::bundle
