#include "plane/parked_book.h"

namespace writ::plane {

void ParkedBook::Add(std::string_view run_id, ParkedNote note) {
  Remove(run_id);
  Sum& sum = sums_[note.principal];
  ++sum.count;
  sum.bytes += note.bytes;
  ends_.Add(note.ends, run_id);
  notes_.emplace(run_id, std::move(note));
}

std::optional<ParkedNote> ParkedBook::Remove(std::string_view run_id) {
  const auto found = notes_.find(run_id);
  if (found == notes_.end()) return std::nullopt;
  std::optional<ParkedNote> note = std::move(found->second);
  ends_.Remove(note->ends, found->first);
  notes_.erase(found);
  const auto sum = sums_.find(note->principal);
  sum->second.bytes -= note->bytes;
  if (--sum->second.count == 0) sums_.erase(sum);
  return note;
}

std::size_t ParkedBook::CountOf(std::string_view principal) const {
  const auto found = sums_.find(principal);
  return found == sums_.end() ? 0 : found->second.count;
}

std::size_t ParkedBook::BytesOf(std::string_view principal) const {
  const auto found = sums_.find(principal);
  return found == sums_.end() ? 0 : found->second.bytes;
}

std::size_t ParkedBook::BytesOfRun(std::string_view run_id) const {
  const auto found = notes_.find(run_id);
  return found == notes_.end() ? 0 : found->second.bytes;
}

}  // namespace writ::plane
