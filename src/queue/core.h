/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h - what the parts of the queue role share: the spool, the messages, and the steps a message takes
 *
 * One mail's path, by function: intake_begin() .. intake_end() -> spool -> queue_accepted() -> router_want()
 * -> router's answer -> scheduler_add() -> job -> scheduler's result -> queue_settle(). Layer: queue.
 */
#pragma once
#include "ipc/role.h"
#include "mail/dsn.h"
#include "mail/trace.h"
#include "queue/by_id.h"
#include "queue/message.h"

struct queue {
	struct role_process *rp;
	struct spool *spool;
	struct by_id by_id;
	struct list all; /* struct message.in_all, oldest first */
	uint64_t n_messages, n_recovered;
	uint64_t next_number, reserved_number; /* queue ids: below reserved_number they may be handed out */
	uint64_t n_accepted, n_delivered, n_deferred, n_bounced; /* since the start, for `postrider status` */
	struct buf system_state;				 /* what the supervisor said of the roles */
	struct buf spool_damage; /* a line for each, as far as there is room: for `postrider status` */
	bool is_loaded;		 /* all mail of earlier has been handed over by the spool */
	bool is_stopping;
};
extern struct queue queue; /* one per process */

/* ---- queue.c ---- */
struct message *queue_find(uint64_t id);
/* 0: no id can be given now (the spool is full). */
uint64_t queue_new_id(void);
uint64_t queue_new_ids(unsigned n); /* the first of n that follow each other */

/* ---- life.c: a message's life ---- */
void life_init(void);
void life_turn(void); /* once per turn of the loop: what is due becomes live, as far as there is room */
void queue_enter(struct message *m); /* it is in the spool: known by its id from now on */
/* Recovered mail gets its next attempt when it is due; what was under way at the crash is due at once. */
void queue_resume(struct message *m);
/* The commit was reported: the message is ours. Takes m. message_id: for the log; empty: it has none. */
void queue_accepted(struct message *m, struct slice message_id);
/* The same; its first attempt is that of the next run of the queue, which somebody asks for, or which comes
 * after the shortest retry interval or with a start. */
void queue_accepted_for_later(struct message *m, struct slice message_id);
/* The record of one that is not in the queue any more goes, as soon as it has no drop file. Takes m. */
void queue_forget(struct message *m);
/* Something of m came to rest: reports failures, removes m when it is done, freezes it when all of it rests
 * and sets the time of its next attempt. m may be gone afterwards, its recipients too. */
void queue_settle(struct message *m);
/* Recipients that wait (for a time, or because mail was held or paused) are tried now; destinations they wait
 * for are probed now. flush: 0: by this mail; else the time (us) at which the flush of many began that m is
 * one of: it has each destination probed once, however many turns of the loop it takes. */
void queue_kick(struct message *m, uint64_t flush);
/* Recipients that are not being delivered this moment are returned now, without another attempt. */
void queue_give_up(struct message *m);
/* The recipient waits for that destination: it does not any more. False: it does not wait for it. Follow with
 * queue_go_on(). */
bool message_unpark(struct message *m, uint32_t rcpt, uint32_t destination);
void queue_go_on(struct message *m);
bool life_is_crowded(void); /* mail in bulk is not begun now */
/* r's leaf is known and it is no duplicate: deliver, discard, fail or defer. */
void queue_dispatch(struct message *m, struct recipient *r);
bool queue_is_idle_for(const struct message *m); /* held, or the queue is paused */

/* ---- outcome.c ---- */
/* What became of a recipient: records, logs; FAILED and WAITING are entered here. Follow with
 * queue_settle(). */
void recipient_delivered(struct message *m, struct recipient *r, enum job_outcome how);
void recipient_failed(struct message *m, struct recipient *r);	      /* status and reason are set */
void recipient_deferred(struct message *m, struct recipient *r);      /* status and reason are set */
void recipient_misconfigured(struct message *m, struct recipient *r); /* the same, and not for long */
void recipient_postponed(
	struct message *m, struct recipient *r); /* what had to be told could not be: later again */
void recipient_finish(struct message *m, struct recipient *r, enum spool_rcpt_state state); /* no report */
void recipient_record(struct message *m, struct recipient *r); /* as it stands now, on disk too */

/* ---- age.c ---- */
void age_init(void);
void age_check_clock(void);	     /* now and then, and before times are told: notices when it jumped */
uint64_t queue_now_us(void);	     /* as wall time at the start, and even ever since */
uint64_t queue_wall_of(uint64_t us); /* what people's clock shows at that time of queue_now_us() */
uint32_t queue_dice(void);
uint64_t age_retry_delay_us(const struct message *m, const struct recipient *r);
enum lifetime {
	LIFETIME_ORDINARY,
	LIFETIME_MISCONFIGURED, /* it waits for a mistake of this host to be mended */
};
/* Too old, and surely so: FAILED then. before_us: the attempt before the present one. */
bool age_expire(struct message *m, struct recipient *r, uint64_t before_us, enum lifetime which);
/* FAILED, however young: an administrator wants it back with its sender. */
void age_give_up(struct message *m, struct recipient *r);
/* When there is something to do for one that waits for its destination: microseconds from now. */
uint64_t age_next_event_us(const struct message *m, const struct recipient_view *v);

/* ---- resume.c ---- */
void queue_resume_paused(void);
void queue_resume_recovered(void); /* once, when all of it is there */

/* ---- priority.c ---- */
/* says_bulk: its Precedence (mail/header_facts.h). */
enum message_priority priority_of(bool says_bulk, size_t n_rcpts);
enum message_priority message_priority(const struct message *m); /* as it stands now */

/* ---- expansion.c: one recipient becomes several ---- */
/* One leaf of an expansion or of a ~/.forward. */
struct leaf {
	enum leaf_kind kind;
	uint8_t flags;							  /* enum rcpt_flags */
	struct slice address, destination, owner, origin, status, reason; /* into text, once added */
	char *text;
};
struct leaves {
	struct leaf *at;
	size_t n, cap;
};
/* Copies leaf; false above LIMIT_EXPANSION. */
MUST_USE bool leaves_add(struct leaves *l, const struct leaf *leaf);
void leaves_free(struct leaves *l);
/* Replaces r by the leaves: recorded, then acted on. by_user: whose ~/.forward it was; empty for an alias. */
void queue_expand(struct message *m, struct recipient *r, struct leaves *l, struct slice by_user);
/* The same in memory alone, of a message that is no mail. False: refused; r's outcome says why. */
MUST_USE bool queue_expand_dry(
	struct message *m, struct recipient *r, struct leaves *l, struct slice by_user);

/* ---- router.c: questions to lookup ---- */
void router_init(void);
void router_want(struct message *m);   /* all its NEW recipients */
void router_forget(struct message *m); /* it is going away */
/* A recipient of m is RESOLVED again, and others may follow for the same destination: they go together. */
void router_gather(struct message *m);
bool router_turn(void);	   /* true: there is more to do in the next turn of the loop */
bool router_is_busy(void); /* more mail would only wait for lookup */
/* What lookup's answer makes of r. */
enum routed {
	ROUTED_TO_ITSELF = 1, /* it knows its leaf */
	ROUTED_TWICE,	      /* the same, but another recipient is the same delivery */
	ROUTED_TO_OTHERS,     /* it is to be expanded; nothing has changed */
	ROUTED_NOWHERE,	      /* to be tried later; the outcome says why */
};
enum routed router_resolve(struct message *m, struct recipient *r, const struct leaves *l);
struct channel *router_lookup(void); /* NULL: it is being restarted */
void router_peer(struct channel *ch);
void router_peer_gone(struct channel *ch);
void router_leaf(struct channel *ch, const union msg_any *m, int *fd);
void router_done(struct channel *ch, const union msg_any *m, int *fd);

/* ---- transport.c: mailboxes that an LMTP server keeps ---- */
void transport_take(struct message *m, struct recipient *r);	    /* local has said TRANSPORT */
void transport_address(const struct recipient *r, struct buf *out); /* as that server is told */

/* ---- scheduler.c, job.c: destinations and jobs ---- */
void scheduler_init(void);
void jobs_init(void);
void scheduler_reload(void);
void scheduler_add(struct message *m, struct recipient *r);
void scheduler_forget(struct message *m); /* deliveries that have not started */
void scheduler_pump(void);		  /* starts what may start */
/* Recipients that wait for a destination (struct recipient.waits_for). lift: it is probed now, by that
 * recipient or once for a flush, as with queue_kick(). */
void scheduler_lift(uint32_t destination, uint64_t id, uint32_t rcpt, uint64_t flush);
void scheduler_peer_gone(struct channel *ch);
void scheduler_drained(struct channel *ch); /* content that was asked for can be sent again */
size_t scheduler_jobs(void);
void scheduler_more(struct channel *ch, const union msg_any *m, int *fd);
/* Who delivers to that next hop; NULL: it is being restarted. */
struct channel *scheduler_smtp(struct slice next_hop);
void scheduler_forward(struct channel *ch, const union msg_any *m, int *fd);
void scheduler_result(struct channel *ch, const union msg_any *m, int *fd);
void scheduler_done(struct channel *ch, const union msg_any *m, int *fd);

/* ---- destination.c: what others know of one that is held off, by its number (struct recipient.waits_for)
 * ---- */
/* What its last probe met; false: it is not held off. Borrowed until the loop goes on. */
bool destination_cause(uint32_t destination, struct cause *out);
void recipient_take_cause(struct recipient *r);		  /* that waits for one: its outcome is that cause */
uint32_t destination_probes(uint32_t destination);	  /* that failed in a row */
uint64_t destination_next_probe_us(uint32_t destination); /* queue_now_us() then */
void destinations_describe(struct buf *out);		  /* lines for `postrider status` */

/* ---- report.c: bounces, delay warnings, success reports, log lines ---- */
void report_init(void);
/* Tells of all FAILED recipients; each is recorded when what tells of it is on disk. */
void report_failures(struct message *m);
/* Warns, when the mail is old enough, of those WAITING that nobody was warned of yet. */
void report_delays(struct message *m);
/* True: its success is told, then recorded, both in the next turn of the loop, when m is also settled. */
MUST_USE bool report_success(struct message *m, struct recipient *r, enum job_outcome how);
void report_flush(void); /* those successes now */
/* r becomes several (is_list: the members of one with an owner); before that is recorded. */
void report_expansion(struct message *m, const struct recipient *r, bool is_list);
void report_accepted(const struct message *m, struct slice message_id); /* in the log */
void report_log(const struct message *m, const struct recipient *r, const char *what, const char *words);

/* ---- report_mail.c: one report as a message ---- */
#define REPORT_PROTOCOL "internal"		     /* of messages that the queue makes */
typedef void (*report_done)(void *user, int result); /* 0: it is on disk; negative errno */
struct report {
	enum dsn_kind kind;
	struct slice to; /* copied */
	bool is_owners;	 /* to a list's owner: nothing of what the sender asked for counts */
	const struct dsn_recipient *rcpts;
	size_t n_rcpts;
	uint32_t flags;	  /* of the message */
	report_done done; /* or NULL; never called when report_send() fails */
	void *user;
};
void report_fill(const struct message *m, const struct recipient *r, enum dsn_action action,
	struct dsn_recipient *out);
/* 0: under way, and in the log before whatever is recorded after this call. -EINVAL: no address. */
MUST_USE int report_send(struct message *about, const struct report *report);

/* ---- intake.c, drop_intake.c: mail that comes in; submissions.h knows what came before ---- */
void intake_peer(struct channel *ch);
void intake_peer_gone(struct channel *ch);
bool intake_is_committing(const struct channel *ch); /* it waits for a MAIL_RESULT */
void intake_begin(struct channel *ch, const union msg_any *m, int *fd);
void intake_rcpt(struct channel *ch, const union msg_any *m, int *fd);
void intake_content(struct channel *ch, const union msg_any *m, int *fd);
void intake_end(struct channel *ch, const union msg_any *m, int *fd);
void intake_abort(struct channel *ch, const union msg_any *m, int *fd);
void intake_lease(struct channel *ch, const union msg_any *m, int *fd);
void intake_lease_all(void); /* ids can be given again: to those that have none */
/* Before the spool is opened: which submissions have a file. */
void drop_intake_prepare(void);
void drop_intake_recover(void); /* before anything is delivered */
void drop_intake_start(void);
void drop_intake_stop(void); /* before the spool is closed */
void intake_stop(void);	     /* aborts what is being received from commands */

/* ---- drop_stuck.c: files that cannot be removed; their mail's record stays as long ---- */
struct drop_file;
bool drop_stuck_has(const struct drop_file *file);
/* The file of m, which is in the spool, goes now, or m->has_drop_file is set until it goes. */
void drop_stuck_remove(int dir, const struct drop_file *file, struct message *m);
/* The same, with drop_stuck_retry(). */
void drop_stuck_add(const struct drop_file *file, struct message *m);
void drop_stuck_retry(int dir);		     /* all of them, with one sync */
void drop_stuck_finished(struct message *m); /* has_drop_file, and left the queue; takes m */

/* ---- control.c: sendmail, mailq, postrider ---- */
void control_listen(int fd); /* takes fd */
void control_start(void);    /* commands are served once there is a listener, and queue ids to give */

/* ---- explain.c: dry runs. True: the id is of one, and it was its ---- */
void explain_init(void);
void explain_peer_gone(struct channel *ch);
bool explain_step(struct channel *ch, const struct msg_EXPLAIN_STEP *m);
bool explain_leaf(struct channel *ch, uint64_t id, const struct leaf *leaf, uint32_t node);
bool explain_answered(
	struct channel *ch, uint64_t id, const union msg_any *m); /* m NULL: without an answer */

/* ---- history.c: what happened, for `postrider trace`; costs nothing when none is kept ---- */
void history_start(void);
void history_stop(void);
void history_accepted(const struct message *m, struct slice message_id);
void history_result(const struct message *m, const struct recipient *r, const char *what, struct slice words);
void history_expanded(const struct message *m, const struct recipient *r, size_t n, struct slice first);
void history_told(const struct message *m, uint64_t report_id);
void history_ordered(uint64_t id, const char *what, uid_t uid);
void history_removed(uint64_t id);

/* ---- permission.c: what a user may do ---- */
/* The login of mail that a command brought is this and the uid: whose it is, and how the log tells it. */
#define LOCAL_LOGIN "uid "
bool control_is_administrator(uid_t uid); /* root; in sandbox mode its user */
/* The user at the other end of the socket is in the group that security.admin_group names. */
bool control_in_admin_group(int socket);
void permission_init(void); /* while the group database can be asked */
/* queue.max_per_uid: counts one more mail of that user; administrators are exempt. */
MUST_USE bool control_may_submit(uid_t uid);
/* Of what a command says of where its mail came from, what this user may say stays: administrators all of it,
 * others the protocol of the Received field. record_out: what goes into the message's record. */
void control_may_say(uid_t uid, struct trace_client *given, struct trace_client *record_out);
