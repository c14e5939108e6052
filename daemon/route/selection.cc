#include "daemon/route/selection.h"

#include <fmt/core.h>

namespace berth::route {
namespace {

constexpr Address kProbes = 0x7f800000, kProbesMask = 0xffc00000;   // 127.128.0.0/10
constexpr Address kAsking = 0x7fc00000, kAskingMask = 0xffff0000;   // 127.192.0.0/16
constexpr std::uint32_t kNobody = 0xffffffff;

// Offsets for loads. At a group's program and a socket's filter the packet begins at the payload or the TCP header; these are relative to the IP
// header.
constexpr auto kVersion = static_cast<std::uint32_t>(SKF_NET_OFF);
constexpr auto kSource = static_cast<std::uint32_t>(SKF_NET_OFF + 12);
constexpr auto kRandom = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM);
constexpr std::uint32_t kTcpFlags = 13;  // of the TCP header, where a socket's filter begins
constexpr std::uint32_t kSyn = 0x02, kSynAck = 0x12;

constexpr sock_filter load_word(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter load_byte(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset); }
constexpr sock_filter mask(std::uint32_t bits) { return BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits); }
/// Goes on behind `skip` instructions unless the value is `value`.
constexpr sock_filter unless_equal_skip(std::uint32_t value, std::uint8_t skip) { return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip); }
constexpr sock_filter give(std::uint32_t value) { return BPF_STMT(BPF_RET | BPF_K, value); }
constexpr std::uint32_t kPass = 0x7fffffff, kDrop = 0;  // what a socket's filter gives: how many bytes to keep

/// Passes everything but the first packet of a connection over IPv4, whose source address is then loaded; one over IPv6 gets `over_ipv6`.
Program first_packet(std::uint32_t over_ipv6) {
  return {load_byte(kTcpFlags), mask(kSynAck),           unless_equal_skip(kSyn, 5),  // past what follows: to the give behind it
          load_byte(kVersion),  mask(0xf0),              BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 1, 0),
          give(over_ipv6),      BPF_STMT(BPF_JMP | BPF_JA, 1),
          give(kPass),          load_word(kSource)};
}

void pick(Program& program, const std::vector<std::uint16_t>& serving) {
  if (serving.empty()) {
    program.push_back(give(kNobody));
    return;
  }
  if (serving.size() > 1) {
    program.push_back(load_word(kRandom));
    program.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(serving.size())));
    for (std::size_t i = 0; i + 1 < serving.size(); ++i) {
      program.push_back(unless_equal_skip(static_cast<std::uint32_t>(i), 1));
      program.push_back(give(serving[i]));
    }
  }
  program.push_back(give(serving.back()));
}

}  // namespace

std::string to_text(Address address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
}

Address probe_address(const InstanceId& id, int attempt) {
  std::uint32_t hash = 2166136261;  // FNV-1a
  for (const char c : fmt::format("{}#{}", to_string(id), attempt)) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  hash ^= hash >> 16;
  return kProbes | (hash & ~kProbesMask);
}

Address asking_address(std::uint16_t index) { return kAsking | index; }

Program selecting_program(const Selection& selection) {
  Program by_source = {load_word(kSource), BPF_STMT(BPF_MISC | BPF_TAX, 0), mask(kAskingMask), unless_equal_skip(kAsking, 3),
                       BPF_STMT(BPF_MISC | BPF_TXA, 0), mask(~kAskingMask), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0)};
  for (const auto& [address, index] : selection.by_source) {
    by_source.push_back(unless_equal_skip(address, 1));
    by_source.push_back(give(index));
  }
  Program program = {load_byte(kVersion), mask(0xf0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 1, 0),
                     BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(by_source.size()))};
  program.insert(program.end(), by_source.begin(), by_source.end());
  pick(program, selection.serving);
  return program;
}

Program gate(Address source) {
  Program program = first_packet(kDrop);
  program.insert(program.end(), {unless_equal_skip(source, 1), give(kPass), give(kDrop)});
  return program;
}

Program deafness() {
  Program program = first_packet(kPass);
  program.insert(program.end(), {mask(kAskingMask), unless_equal_skip(kAsking, 1), give(kDrop), give(kPass)});
  return program;
}

}  // namespace berth::route
