#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

inline constexpr std::size_t kTarBlock = 512;
inline constexpr std::size_t kTarEnd = 2 * kTarBlock;  ///< of zeros, and nothing after them

/// The one form in which an entry stands in a layer's tar: a ustar header, and before it a pax one where a name or size does not fit that.
std::string tar_header(const Entry& entry);

/// Zeros after `size` bytes of content, up to a whole block.
inline std::uint64_t tar_padding(std::uint64_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

/// How many bytes an entry takes in the tar, with its content.
std::uint64_t tar_size(const Entry& entry);

// For the reader: fields of a ustar header (POSIX.1-2017, pax, "ustar Interchange Format").

/// A field up to its first NUL.
std::string_view tar_text(std::string_view block, std::size_t offset, std::size_t size);
/// Octal digits, the last byte a NUL; fails where it is not so.
Result<std::uint64_t> tar_number(std::string_view block, std::size_t offset, std::size_t size);
/// Whether the checksum is that of the block.
bool tar_checksum_holds(std::string_view block);

inline constexpr std::size_t kTarName = 0, kTarNameSize = 100, kTarMode = 100, kTarModeSize = 8, kTarLength = 124, kTarLengthSize = 12,
                             kTarType = 156, kTarLink = 157, kTarLinkSize = 100;

}  // namespace berth::bundle
