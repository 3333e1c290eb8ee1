// Package bus carries short messages to every process: invalidations and progress. It is lossy by contract.
package bus

import "context"

// MaxPayload is the most bytes that a message carries.
const MaxPayload = 4 << 10

// CodeTooLarge is TooLarge: a message with more than MaxPayload.
const CodeTooLarge = "bus.message_too_large"

// Topic names a stream of messages.
type Topic string

// Message is what is published. Payload is at most 4 KiB.
type Message struct {
	Topic   Topic
	Payload []byte
	// Gap says that messages may have been lost before this one: what they would have made old is to be taken for old. A gap that no message follows
	// comes as one without a topic, whatever the subscription's topics are. It is told to subscribers; publishers leave it alone.
	Gap bool
}

// Publisher sends. From store.Tx it does so after the commit, and not at all without one.
type Publisher interface {
	Publish(ctx context.Context, messages ...Message) error
}

// Bus sends and receives.
type Bus interface {
	Publisher
	// Subscribe returns messages of the topics published from now on, this process's own included, until ctx ends; the channel is then
	// closed. A subscriber that does not keep up loses the oldest, and is told by Message.Gap.
	Subscribe(ctx context.Context, topics ...Topic) (<-chan Message, error)
	// Ahead calls fn with each message of the topics that this process publishes, before any subscriber gets it and before Publish returns, until ctx
	// ends: who changed something finds it changed. fn publishes nothing.
	Ahead(ctx context.Context, fn func(Message), topics ...Topic)
}

// The topics.
const (
	// TopicSession carries ids of sessions whose state changed.
	TopicSession Topic = "session"
	// TopicUser carries ids of users whose roles, state or preferences changed.
	TopicUser Topic = "user"
	// TopicAccess carries ids of libraries whose access changed, or were made or removed.
	TopicAccess Topic = "access"
	// TopicAPIKey carries ids of API keys that were changed or revoked.
	TopicAPIKey Topic = "apikey"
	// TopicKeys says that the server's own keys changed.
	TopicKeys Topic = "keys"
	// TopicPolicy carries names of roles whose permissions or parents changed.
	TopicPolicy Topic = "policy"
	// TopicScan carries ids of scans that progressed.
	TopicScan Topic = "scan"
	// TopicSettings says that settings of the server changed.
	TopicSettings Topic = "settings"
	// TopicMovie carries ids of libraries whose films changed.
	TopicMovie Topic = "movie"
	// TopicWatch carries ids of users whose watch states changed.
	TopicWatch Topic = "watch"
)
