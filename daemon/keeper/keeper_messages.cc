// What berthd tells a keeper, and what it is told.

#include <string.h>
#include <unistd.h>

#include "daemon/keeper/keeper.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {

void Keeper::on_message(Message* message) {
  switch (message->type()) {
    case Type::launch:
      on_launch(message);
      break;
    case Type::stop:
      if (const Stop* stop = message->as<Stop>()) request_stop(stop->grace_ms);
      break;
    case Type::restart:
      if (const Restart* restart = message->as<Restart>(); restart != nullptr && restart->reason[sizeof restart->reason - 1] == 0) {
        request_restart(restart->liveness != 0, restart->reason);
      }
      break;
    case Type::signal:
      if (const Signal* signal = message->as<Signal>(); signal != nullptr) signal_main(signal->signal);
      break;
    case Type::get_fds:
      send_fds();
      break;
    case Type::hold:
      hold_ = true;
      break;
    case Type::leave:
      hold_ = false;
      if (state_.phase == Phase::holding) leave();
      break;
    case Type::take_over:
      if (kProtocolVersion >= kTakesOver) on_take_over(message);
      break;
    case Type::renew:
      if (const Renew* renew = message->as<Renew>(); renew != nullptr && kProtocolVersion >= kTakesOver) on_renew(*renew);
      break;
    case Type::watch:
      if (kProtocolVersion >= kTakesOver) begin_watching();
      break;
    default:
      break;
  }
  message->close_fds();
}

void Keeper::on_launch(Message* message) {
  if (message->fd_count < 1 || want_stop_ || !take_launch(message->fds, message->fd_count)) return control_.drop();
  message->fd_count = 0;
  end_trial();  // it is of the launch before
  if (state_.phase == Phase::blank) start_app();
}

/// The launch and then the listening sockets, which are this keeper's own from now on. False, and they are not, where that is no launch of this instance.
bool Keeper::take_launch(const int* fds, int count) {
  LaunchRules rules;
  if (!read_rules(fds[0], &rules)) return false;
  if (state_.phase != Phase::blank && strcmp(rules.id, rules_.id) != 0) return false;
  const bool has_client = rules.attached != Attached::no;
  if (has_client && state_.phase != Phase::blank) return false;  // once: there is no other client to go on with
  if (has_client) count -= attached::kFiles + 1;
  if (count < 1 || count > kMostSockets + 1) return false;
  if (has_client) client_.take(fds + count);
  rules_ = rules;
  if (rules_.cgroup[0] == 0) Text(rules_.cgroup, sizeof rules_.cgroup).add(own_cgroup_);
  if (launch_ >= 0) close(launch_);
  for (int i = 0; i < socket_count_; i++) close(sockets_[i]);
  launch_ = fds[0];
  socket_count_ = count - 1;
  memcpy(sockets_, fds + 1, sizeof(int) * static_cast<size_t>(socket_count_));

  Text(state_.id, sizeof state_.id).add(rules_.id);
  Text(state_.cgroup, sizeof state_.cgroup).add(rules_.cgroup);
  state_.launch_digest = rules_.digest;
  log_.segment().set(log_directory_, rules_.segment_bytes, rules_.keep_bytes, rules_.segment_age_ms);
  launch_deadline_ = 0;
  return true;
}

void Keeper::send_state(Event event) {
  state_.event = event;
  state_.crash_loop = crash_loop_.looping;
  state_.log_lines = log_.lines();
  state_.log_dropped = dropped_told_ = log_.dropped();
  tell_log_at_ = 0;
  control_.send(&state_, kStateSize);
}

void Keeper::send_fds() {
  alignas(Header) char answer[kMostMessage];
  int count = 0;
  const size_t names = read_socket_names(launch_, answer + sizeof(Header), sizeof answer - sizeof(Header), &count);
  if (count != socket_count_) count = 0;
  const size_t size = sizeof(Header) + (count > 0 ? names : 0);
  const Header header{Type::fds, kProtocolVersion, static_cast<uint32_t>(size)};
  memcpy(answer, &header, sizeof header);
  int fds[kMostSockets + 2];
  memcpy(fds, sockets_, sizeof(int) * static_cast<size_t>(count));
  fds[count] = pipes_[0][0];
  fds[count + 1] = pipes_[1][0];
  control_.send(answer, size, fds, count + 2);
}

}  // namespace berth::keeper
