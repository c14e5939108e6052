#include "core/publish/platform.h"

#include <algorithm>
#include <array>
#include <optional>

#include <elf.h>
#include <fcntl.h>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::publish {
namespace {

constexpr std::size_t kHeader = 20;  // up to and with e_machine

/// What an ELF header says; none where the file is no program or library.
struct Header {
  bool wide = false;    ///< 64 bits
  bool little = false;  ///< endian
  unsigned machine = 0;
};

std::optional<Header> parse_header(std::string_view bytes) {
  if (bytes.size() < kHeader || !bytes.starts_with(ELFMAG)) return std::nullopt;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const bool little = byte(EI_DATA) == ELFDATA2LSB;
  const auto half = [&](std::size_t at) { return little ? byte(at) | byte(at + 1) << 8 : byte(at + 1) | byte(at) << 8; };
  const int type = half(16);
  if (type != ET_EXEC && type != ET_DYN) return std::nullopt;
  return Header{.wide = byte(EI_CLASS) == ELFCLASS64, .little = little, .machine = static_cast<unsigned>(half(18))};
}

std::string platform_of(const Header& header) {
  if (header.wide && header.little && header.machine == EM_X86_64) return "linux/amd64";
  if (header.wide && header.little && header.machine == EM_AARCH64) return "linux/arm64";
  return {};
}

Result<std::string> beginning_of(int root, const std::string& path) {
  BERTH_TRY(const Fd file, files::open_below(root, path, O_RDONLY));
  std::array<char, kHeader> bytes{};
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_errno("read " + path);
  return std::string(bytes.data(), static_cast<std::size_t>(got));
}

}  // namespace

Result<std::string> detect_platform(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries) {
  BERTH_TRY(const Fd folder, files::open(root, O_RDONLY | O_DIRECTORY));
  std::string platform, witness;
  for (const bundle::Entry& entry : entries) {
    if (entry.type != bundle::EntryType::file || entry.mode != 0755 || entry.size < kHeader) continue;
    BERTH_TRY(const std::string bytes, beginning_of(folder.get(), entry.path));
    const auto header = parse_header(bytes);
    if (!header) continue;
    const std::string found = platform_of(*header);
    if (found.empty())
      return fail(Errc::usage, fmt::format("{} is a program for a machine that berth does not run on (ELF machine {}, {} bits); leave it out with "
                                           ".berthignore, or say --platform",
                                           entry.path, header->machine, header->wide ? 64 : 32));
    if (!platform.empty() && found != platform)
      return fail(Errc::usage,
                  fmt::format("{} is for {}, and {} for {}; a build is for one platform: leave one out with .berthignore, or say --platform", witness,
                              platform, entry.path, found));
    platform = found;
    witness = entry.path;
  }
  return platform.empty() ? "any" : platform;
}

Result<std::string> platform_of_program(const std::filesystem::path& root, const std::string& path) {
  BERTH_TRY(const Fd folder, files::open(root, O_RDONLY | O_DIRECTORY));
  const auto bytes = beginning_of(folder.get(), path);
  if (!bytes) return std::string();
  const auto header = parse_header(*bytes);
  if (!header) return std::string();
  const std::string found = platform_of(*header);
  if (found.empty())
    return fail(Errc::usage, fmt::format("{} is a program for a machine that berth does not run on (ELF machine {}, {} bits)", path, header->machine,
                                         header->wide ? 64 : 32));
  return found;
}

bool is_platform(std::string_view text) { return text == "linux/amd64" || text == "linux/arm64" || text == "any"; }

}  // namespace berth::publish
