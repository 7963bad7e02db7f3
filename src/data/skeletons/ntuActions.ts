/** The actions of NTU RGB+D, in the order of their numbers; the first 60 are those of NTU RGB+D 60. Names of the authors' list, shortened where they explain. */

const names = `
drink water|eat meal|brush teeth|brush hair|drop|pick up|throw|sit down|stand up|clap|read|write|tear up paper|put on jacket|take off jacket|put on a shoe|take off a shoe|
put on glasses|take off glasses|put on a hat|take off a hat|cheer up|wave hand|kick something|reach into pocket|hop on one foot|jump up|phone call|play with phone|
type on a keyboard|point to something|take a selfie|check time on watch|rub two hands|nod head or bow|shake head|wipe face|salute|put palms together|cross hands in front|
sneeze or cough|stagger|fall down|headache|chest pain|back pain|neck pain|nausea or vomiting|fan self|punch or slap|kick other person|push other person|pat on back|
point finger at other person|hug|give object|touch pocket of other person|shake hands|walk towards each other|walk apart from each other|
put on headphones|take off headphones|shoot at basket|bounce ball|tennis bat swing|juggle table tennis balls|hush|flick hair|thumb up|thumb down|make OK sign|
make victory sign|staple book|count money|cut nails|cut paper|snap fingers|open bottle|sniff|squat down|toss a coin|fold paper|ball up paper|play magic cube|
apply cream on face|apply cream on hand|put on bag|take off bag|put something into bag|take something out of bag|open a box|move heavy objects|shake fist|throw up cap|
hands up|cross arms|arm circles|arm swings|run on the spot|butt kicks|cross toe touch|side kick|yawn|stretch oneself|blow nose|hit with object|wield knife|
knock over other person|grab things of other person|shoot with gun|step on foot|high-five|cheers and drink|carry object together|take a photo of other person|
follow other person|whisper|exchange things|support somebody|rock-paper-scissors`;

/** 120 names; the class of a recording is its action's number minus 1. */
export const ntuActions: readonly string[] = names.split('|').map((name) => name.trim());
